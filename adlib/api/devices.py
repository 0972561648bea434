"""Where arrays live, and waiting for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.core import backend
from adlib.core.array import Array, ArrayImpl, as_value, to_numpy


class Device:
    """A processor that holds arrays.

    Attributes:
      platform: ``"cpu"`` or ``"gpu"``.
      id: number among the platform's devices.
    """

    def __init__(self, platform: str, id: int) -> None:
        self.platform = platform
        self.id = id

    @property
    def device_kind(self) -> str:
        return self.platform

    @property
    def process_index(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"{'CpuDevice' if self.platform == 'cpu' else 'CudaDevice'}(id={self.id})"

    def __str__(self) -> str:
        return f"{'TFRT_CPU' if self.platform == 'cpu' else 'cuda'}:{self.id}".lower().replace(
            "tfrt_", ""
        )


_cpu = Device("cpu", 0)


def devices(backend: str | None = None) -> list[Device]:
    """All devices of a platform (the default one where none is named).

    Raises RuntimeError, saying what is missing, where the platform is not there.

    >>> import adlib
    >>> adlib.devices()
    [CpuDevice(id=0)]
    """
    if backend in (None, "cpu"):
        return [_cpu]
    raise RuntimeError(
        f"Unknown backend {backend!r}: this installation computes on 'cpu' only.{here()}\n"
        "  GPU arrays need an NVIDIA GPU with its driver, and the extra: "
        "pip install 'adlib-jupyter[gpu]'."
    )


def local_devices(process_index: int | None = None, backend: str | None = None) -> list[Device]:
    """The devices of this process."""
    return devices(backend)


def device_count(backend: str | None = None) -> int:
    """Number of devices."""
    return len(devices(backend))


def local_device_count(backend: str | None = None) -> int:
    """Number of devices of this process."""
    return len(devices(backend))


def default_backend() -> str:
    """Name of the platform that new arrays are made on."""
    return backend.default().platform


def device_put(x: Any, device: Any = None, *, src: Any = None, donate: bool = False) -> Any:
    """``x`` with its leaves as Arrays on ``device``."""
    if isinstance(device, str):
        devices(device)
    return tree.map(lambda leaf: as_value(leaf, "device_put"), x)


def device_get(x: Any) -> Any:
    """``x`` with its Arrays as NumPy arrays."""

    def get(leaf: Any) -> Any:
        if not isinstance(leaf, Array):
            return np.asarray(leaf)
        if not isinstance(leaf, ArrayImpl):
            return leaf.__array__()  # type: ignore[attr-defined]  # raises the teaching error
        return to_numpy(leaf).copy()

    return tree.map(get, x)


def block_until_ready(x: Any) -> Any:
    """Wait until all arrays in a pytree are computed; returns it."""
    for leaf in tree.leaves(x):
        if isinstance(leaf, Array):
            leaf.block_until_ready()  # type: ignore[attr-defined]
    return x
