"""Looking at the process: what is installed, which arrays are alive. And dynamic slices."""

from __future__ import annotations

import gc
import platform as machine
import sys
from typing import Any

import numpy as np

from adlib.api.devices import devices
from adlib.base.source import here
from adlib.core import backend
from adlib.core.array import Array, ArrayImpl, as_value
from adlib.ops.arithmetic import add
from adlib.ops.conversion import convert_element_type


def live_arrays(platform: str | None = None) -> list[Array]:
    """All Arrays with values that the process holds.

    ``platform`` is ``"cpu"``, ``"gpu"`` or None for all; RuntimeError for one that is not there.

    >>> import adlib, adlib.numpy as jnp
    >>> x = jnp.ones(3)
    >>> any(y is x for y in adlib.live_arrays())
    True
    """
    if platform is not None:
        platform = devices(platform)[0].platform
    gc.collect()
    found = [x for x in gc.get_objects() if type(x) is ArrayImpl]
    if platform is None:
        return found
    return [x for x in found if backend.of_array(x._value).platform == platform]


def print_environment_info(return_string: bool = False) -> str | None:
    """Print what to say in a report: versions, devices, machine; or return it.

    >>> import adlib
    >>> adlib.print_environment_info(return_string=True).splitlines()[0][:6]
    'adlib:'
    """
    from importlib.metadata import PackageNotFoundError, version

    def version_of(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "not installed"

    adlib = sys.modules["adlib"]
    lines = {
        "adlib": adlib.__version__,
        "numpy": np.__version__,
        **{name: version_of(name) for name in ("scipy", "llvmlite", "optree")},
        "python": sys.version.replace("\n", " "),
        "devices": ", ".join(map(repr, devices())),
        "platform": machine.platform(),
    }
    width = max(map(len, lines)) + 2
    text = "\n".join(f"{name + ':':<{width}}{value}" for name, value in lines.items())
    if return_string:
        return text
    print(text)
    return None


def ds(start: Any, size: Any = None, stride: int | None = None) -> Any:
    """An index that takes ``size`` elements from ``start`` on, which may be traced.

    Args:
      start: first index; or, where ``size`` is left out, the size of a slice from 0.
      size: number of elements, a Python int.
      stride: distance between them, 1 by default.

    Raises:
      TypeError: a traced size: shapes are known when a function is traced.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.jit(lambda x, i: x[adlib.ds(i, 2)])(jnp.arange(5), 3)
    Array([3, 4], dtype=int32)
    """
    if size is None:
        start, size = 0, start
    if not isinstance(size, (int, np.integer)):
        raise TypeError(
            f"ds wants its size as a Python int; it was given {size!r}.{here()}\n  Repair: only "
            "the start may depend on the data."
        )
    step = 1 if stride is None else stride
    if isinstance(start, (int, np.integer)):
        return slice(int(start), int(start) + int(size) * step, step)
    first = as_value(start, "ds")
    steps = as_value(np.arange(size) * step)
    return add(convert_element_type(first, steps.aval.dtype), steps)
