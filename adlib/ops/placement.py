"""device_put: the same numbers on another device."""

from __future__ import annotations

from functools import partial
from typing import Any

from adlib.core import backend
from adlib.core.primitive import Primitive, Sample
from adlib.ops.constructors import linear
from adlib.ops.conversion import same_batch
from adlib.ops.operands import normal


def _put(xp: Any, x: Any, *, platform: str, source: str) -> Any:
    target = backend.get(platform)
    if type(x) is target.ndarray:
        return x
    return x.get() if target is backend.cpu() else target.bring(x)


device_put_p: Primitive = linear(
    "device_put",
    shape=lambda x, platform, source: x,
    impl=_put,
    transpose=lambda ct, x, platform, source: (
        device_put_p.bind(ct, platform=source, source=platform),
    ),
    batch=partial(same_batch, lambda: device_put_p),
    samples=lambda: [Sample((normal(3),), {"platform": "cpu", "source": "cpu"})],
)
