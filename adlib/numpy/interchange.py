"""Arrays of other libraries, without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.api.devices import device_put
from adlib.backends import cupy_
from adlib.base.source import here
from adlib.core import backend
from adlib.core.array import Array, ArrayImpl, of_ndarray
from adlib.core.interchange import CPU, CUDA, CUDA_HOST, CUDA_MANAGED, named


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An Array over the memory of another library's array, on the CPU or the GPU.

    Args:
      x: an object with ``__dlpack__`` and ``__dlpack_device__``: a tensor of PyTorch's, an array
        of NumPy's, CuPy's, Numba's, …
      device: where the Array shall be; by default where ``x`` is.
      copy: True always copies; None only where the dtype or the device asks for it; False never.

    Arrays never change, so do not write to the memory that they share.

    Raises:
      TypeError: ``x`` does not speak DLPack.
      BufferError: ``copy`` is False, and there is no way without; or ``x`` is on a device that
        adlib does not compute on.

    >>> import numpy as np, adlib.numpy as jnp
    >>> jnp.from_dlpack(np.ones(2, np.float32))
    Array([1., 1.], dtype=float32)
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise TypeError(
            f"from_dlpack takes an object with __dlpack__ and __dlpack_device__, got {type(x)}."
            f"{here()}\n  Repair: jnp.asarray(x) converts NumPy's arrays, numbers and sequences."
        )
    kind, number = x.__dlpack_device__()
    kind = int(kind)
    if isinstance(x, ArrayImpl):
        made = of_ndarray(x._value, copy)
    elif kind in (CPU, CUDA_HOST):
        made = of_ndarray(np.from_dlpack(x), copy)
    elif kind in (CUDA, CUDA_MANAGED) and not int(number):
        made = of_ndarray(cupy_.load().xp.from_dlpack(x), copy)
    else:
        raise BufferError(
            f"from_dlpack was given an array on {named((kind, int(number)))}; adlib computes on "
            f"the CPU and on CUDA device 0.{here()}\n  Repair: move it there with its own library."
        )
    if device is None:
        return made
    if copy is False and backend.platform_of(device) != backend.of_array(made._value).platform:
        raise BufferError(
            f"from_dlpack was asked to bring an array to {device} without a copy.{here()}\n"
            "  Repair: leave copy=False out, or leave the array where it is."
        )
    return device_put(made, device)  # type: ignore[no-any-return]


def over_memory(x: Any, copy: bool | None) -> ArrayImpl | None:
    """An Array of an object that shows memory on the GPU (``__cuda_array_interface__``): shared
    where ``copy`` is False; None for other objects.

    Raises NoGpu, saying what is missing, where no GPU can be used.
    """
    if isinstance(x, (Array, np.ndarray, np.generic)) or not hasattr(x, "__cuda_array_interface__"):
        return None
    cupy_.load()
    return of_ndarray(backend.shared(x), copy=False if copy is False else True)
