"""Where arrays live, and waiting for them."""

from __future__ import annotations

import functools
from typing import Any

from adlib.backends import cupy_
from adlib.base import tree
from adlib.base.config import config
from adlib.base.source import here
from adlib.core import backend as backends
from adlib.core.array import Array, ArrayImpl, as_value, to_numpy
from adlib.ops.placement import device_put_p


class Device:
    """A processor that holds arrays.

    Attributes:
      platform: ``"cpu"`` or ``"gpu"``.
      id: number among the platform's devices.

    >>> import adlib
    >>> adlib.devices()[0].platform, adlib.devices()[0].id
    ('cpu', 0)
    """

    def __init__(self, platform: str, id: int) -> None:
        self.platform = platform
        self.id = id

    @property
    def device_kind(self) -> str:
        """``"cpu"``, or the name of the card."""
        if self.platform == "cpu":
            return "cpu"
        name = cupy_.load().xp.cuda.runtime.getDeviceProperties(self.id)["name"]
        return name.decode() if isinstance(name, bytes) else str(name)

    def memory_stats(self) -> dict[str, int] | None:
        """The card's memory in bytes, by all who use it: ``bytes_in_use`` and ``bytes_limit``;
        None for the CPU."""
        if self.platform == "cpu":
            return None
        cuda = cupy_.load().xp.cuda
        with cuda.Device(self.id):
            free, total = cuda.runtime.memGetInfo()
        return {"bytes_in_use": total - free, "bytes_limit": total}

    @property
    def process_index(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"{'CpuDevice' if self.platform == 'cpu' else 'CudaDevice'}(id={self.id})"

    def __str__(self) -> str:
        return f"{'TFRT_CPU' if self.platform == 'cpu' else 'cuda'}:{self.id}".lower().replace(
            "tfrt_", ""
        )


def devices(backend: str | None = None) -> list[Device]:
    """All devices of a platform, ``"cpu"`` or ``"gpu"`` (the default one where none is named).

    Raises RuntimeError, saying in one sentence what is missing, where the platform is not there.

    >>> import adlib
    >>> adlib.devices()
    [CpuDevice(id=0)]
    """
    platform = backends.default().platform if backend is None else backends.platform_of(backend)
    if platform == "gpu":
        cupy_.load()  # or it says what is missing
    elif platform != "cpu":
        raise RuntimeError(
            f"Unknown backend {backend!r}: adlib computes on 'cpu' and on 'gpu'.{here()}"
        )
    return [_first(platform)]


@functools.cache
def _first(platform: str) -> Device:
    """The device of a platform: of several cards, arrays lie on the first."""
    return Device(platform, 0)


def _check_device(device: Any) -> None:
    """Refuse a device that is not there, before a flag names it."""
    if device not in (None, ""):
        devices(backends.platform_of(device))


config.check("jax_default_device", _check_device)
config.check("jax_platform_name", _check_device)


def local_devices(process_index: int | None = None, backend: str | None = None) -> list[Device]:
    """The devices of this process.

    >>> import adlib
    >>> adlib.local_devices()[0].platform in ("cpu", "gpu")
    True
    """
    return devices(backend)


def device_count(backend: str | None = None) -> int:
    """Number of devices.

    >>> import adlib
    >>> adlib.device_count() >= 1
    True
    """
    return len(devices(backend))


def local_device_count(backend: str | None = None) -> int:
    """Number of devices of this process.

    >>> import adlib
    >>> adlib.local_device_count() == len(adlib.local_devices())
    True
    """
    return len(devices(backend))


def default_backend() -> str:
    """Name of the platform that new arrays are made on.

    >>> import adlib
    >>> adlib.default_backend() in ("cpu", "gpu")
    True
    """
    return backends.default().platform


def device_put(x: Any, device: Any = None, *, src: Any = None, donate: bool = False) -> Any:
    """``x`` with its leaves as Arrays on ``device``.

    Args:
      x: a pytree of arrays and numbers.
      device: a ``Device``, ``"cpu"`` or ``"gpu"``; None leaves Arrays where they are.
      src, donate: taken for compatibility, without effect.

    Raises RuntimeError, saying what is missing, where the device is not there.

    >>> import adlib
    >>> adlib.device_put(1.5, "cpu").device
    CpuDevice(id=0)
    """
    if device is None:
        return tree.map(lambda leaf: as_value(leaf, "device_put"), x)
    platform = devices(backends.platform_of(device))[0].platform

    def put(leaf: Any) -> Any:
        value = as_value(leaf, "device_put")
        if not backends.several:
            return value
        if type(value) is ArrayImpl:
            source = backends.of_array(value._value).platform
        else:  # a move of what is traced: from the other side
            source = "cpu" if platform == "gpu" else "gpu"
        if source == platform:
            return value
        return device_put_p.bind(value, platform=platform, source=source)

    return tree.map(put, x)


def device_get(x: Any) -> Any:
    """``x`` with its Arrays as NumPy arrays; other leaves stay as they are.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.device_get({"a": jnp.ones(2, int)})
    {'a': array([1, 1], dtype=int32)}
    """

    def get(leaf: Any) -> Any:
        if not isinstance(leaf, Array):
            return leaf
        if not isinstance(leaf, ArrayImpl):
            return leaf.__array__()  # type: ignore[attr-defined]  # raises the teaching error
        return to_numpy(leaf).copy()

    return tree.map(get, x)


def block_until_ready(x: Any) -> Any:
    """Wait until all arrays in a pytree are computed; returns it.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.block_until_ready({"a": jnp.ones(2)})
    {'a': Array([1., 1.], dtype=float32)}
    """
    if not backends.several:
        return x  # what the CPU computes is there when a call returns
    for leaf in (x,) if isinstance(x, Array) else tree.leaves(x):
        if isinstance(leaf, Array):
            leaf.block_until_ready()  # type: ignore[attr-defined]
    return x
