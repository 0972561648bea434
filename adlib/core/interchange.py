"""DLPack: handing the memory of an array to another library, as its protocol asks.

A consumer says which version it reads (``max_version``), where it wants the data (``dl_device``),
whether there may be a copy, and in which stream it will read. Arrays never change, so what
consumers of version 1 are given is marked read-only; older ones cannot be told, and are trusted
not to write.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.base.source import here

CPU, CUDA, CUDA_HOST, CUDA_MANAGED = 1, 2, 3, 13  # DLPack's numbers of device types


def exported(
    value: Any,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """The capsule of an ndarray's memory.

    Raises BufferError where it would take a copy that is forbidden, or a move to another GPU.
    """
    given = device_of(value)
    wanted = given if dl_device is None else (int(dl_device[0]), int(dl_device[1]))
    if wanted != given:
        if wanted[0] != CPU:
            raise BufferError(
                f"an array on {named(given)} cannot be exported to {named(wanted)} by DLPack."
                f'{here()}\n  Repair: adlib.device_put(x, "gpu") first.'
            )
        if copy is False:
            raise BufferError(
                f"an array on {named(given)} reaches {named(wanted)} by a copy only, and copy=False"
                f" forbids it.{here()}"
            )
        return _of_host(value.get(), None, max_version, fresh=True)
    if isinstance(value, np.ndarray):
        trusted = _reads_flags(max_version) or bool(value.flags.writeable)
        if copy is False and not trusted:
            raise BufferError(
                "this consumer reads a version of DLPack that cannot say that memory is read-only, "
                f"and copy=False forbids a copy.{here()}\n  Repair: leave copy=False out."
            )
        fresh = bool(copy) or not trusted
        return _of_host(value.copy() if fresh else value, stream, max_version, fresh)
    value = value.copy() if copy else value
    try:
        return value.__dlpack__(stream=stream, max_version=max_version)
    except TypeError:  # an older CuPy, which knows the first version of the protocol
        return value.__dlpack__(stream=stream)


def device_of(value: Any) -> tuple[int, int]:
    """DLPack's device type and number of an ndarray."""
    kind, number = value.__dlpack_device__()
    return int(kind), int(number)


def named(device: tuple[int, int]) -> str:
    """A device of DLPack's in words."""
    names = {CPU: "the CPU", CUDA: "CUDA device", CUDA_HOST: "the CPU (pinned)", 4: "OpenCL device",
             7: "Vulkan device", 8: "Metal device", 10: "ROCm device", CUDA_MANAGED: "CUDA device",
             14: "oneAPI device"}  # fmt: skip
    name = names.get(device[0], f"device type {device[0]},")
    return name if device[0] in (CPU, CUDA_HOST) else f"{name} {device[1]}"


def _reads_flags(max_version: tuple[int, int] | None) -> bool:
    return max_version is not None and max_version[0] >= 1


def _of_host(
    value: np.ndarray[Any, Any], stream: Any, max_version: tuple[int, int] | None, fresh: bool
) -> Any:
    if not _reads_flags(max_version):
        return value.__dlpack__(stream=stream)
    if not fresh:
        value = value.view()
        value.flags.writeable = False
    try:
        return value.__dlpack__(stream=stream, max_version=max_version)
    except TypeError:  # a NumPy that knows the first version of the protocol
        return (value if fresh else value.copy()).__dlpack__(stream=stream)
