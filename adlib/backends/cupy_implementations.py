"""Primitives that CuPy computes in another way than NumPy, with the reason for each.

All others run the implementation that is written over the array module. An entry is
``(xp, *arrays, **params) -> array or list of arrays``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

# CuPy has no such function.
CPU_ONLY = frozenset(
    "bessel_jn dawsn fresnel_c fresnel_s hyp1f1 hyp2f1 owens_t spence wofz".split()
)


def _cpu_only(name: str, xp: Any, *args: Any, **params: Any) -> NoReturn:
    raise NotImplementedError(
        f"{name} is not computed on a GPU: CuPy has no such function.\n"
        '  Repair: compute it on the CPU, adlib.device_put(x, "cpu"), and move the result back.'
    )


IMPLEMENTATIONS: dict[str, Callable[..., Any]] = {
    name: partial(_cpu_only, name) for name in CPU_ONLY
}
