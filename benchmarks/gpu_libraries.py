"""How each library computes on the GPU: where its arrays are, and how it is waited for.

Products and convolutions use whole float32 numbers everywhere: JAX and PyTorch would otherwise
round what they multiply to 10 bits (TF32), which is faster and another computation.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .libraries import Library

_COPIED = 2**29  # bytes: far more than any cache
_SIDE = 8192
_SMALL_COPIED, _SMALL_SIDE = 2**12, 8
measured_small = [False]  # whether the card's rates are measured on tiny arrays, to try it out
_REPEATS = {"bytes": 20, "flops": 2}


def _load_adlib(threads: int) -> Any:
    importlib.import_module("adlib.numpy")
    adlib = importlib.import_module("adlib")
    adlib.config.update("jax_platform_name", "gpu")  # new arrays are made there
    return adlib


def _load_jax(threads: int) -> Any:
    importlib.import_module("jax.numpy")
    jax = importlib.import_module("jax")
    if jax.default_backend() != "gpu":
        raise RuntimeError("JAX is installed without its GPU build: pip install 'jax[cuda12]'")
    jax.config.update("jax_default_matmul_precision", "highest")
    return jax


def _load_torch(threads: int) -> Any:
    torch = importlib.import_module("torch")
    importlib.import_module("torch.func")
    if not torch.cuda.is_available():
        raise RuntimeError("PyTorch is installed without CUDA, or finds no card")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch


def _torch_ready(torch: Any, result: Any) -> Any:
    torch.cuda.synchronize()
    return result


def _cupy_ready(cupy: Any, result: Any) -> Any:
    cupy.cuda.get_current_stream().synchronize()
    return result


def _cupy_numpy(leaf: Any) -> np.ndarray:
    return leaf.get() if hasattr(leaf, "get") else np.asarray(leaf)


def card_rates(cupy: Any, itemsize: int) -> dict[str, float]:
    """Bytes a second that copies read and write, and operations a second of cuBLAS's products.

    Like a batch of a case, the copies stand in the queue one behind the other.
    """
    dtype = np.dtype(f"f{itemsize}")
    copied, side = (_SMALL_COPIED, _SMALL_SIDE) if measured_small[0] else (_COPIED, _SIDE)
    source = cupy.ones(copied // itemsize, dtype)
    target = cupy.empty_like(source)
    a = cupy.full((side, side), 0.01, dtype)
    product = cupy.empty_like(a)
    work: dict[str, tuple[Callable[[], Any], float]] = {
        "bytes": (lambda: cupy.copyto(target, source), 2.0 * copied),
        "flops": (lambda: cupy.matmul(a, a, out=product), 2.0 * side**3),
    }
    rates = {}
    for name, (run, amount) in work.items():
        run()
        _cupy_ready(cupy, None)
        start = time.perf_counter()
        for _ in range(_REPEATS[name]):
            run()
        _cupy_ready(cupy, None)
        rates[name] = _REPEATS[name] * amount / (time.perf_counter() - start)
    return rates


GPU_LIBRARIES = {
    library.name: library
    for library in (
        Library(
            "adlib",
            _load_adlib,
            array=lambda adlib, leaf: adlib.numpy.asarray(leaf),
            ready=lambda adlib, result: adlib.block_until_ready(result),
            # adlib's process has CuPy, which is the shortest way to the card
            limits=lambda adlib, itemsize: card_rates(importlib.import_module("cupy"), itemsize),
        ),
        Library(
            "jax",
            _load_jax,
            array=lambda jax, leaf: jax.numpy.asarray(leaf),
            ready=lambda jax, result: jax.block_until_ready(result),
        ),
        Library(
            "torch",
            _load_torch,
            array=lambda torch, leaf: torch.from_numpy(np.array(leaf)).cuda(),
            ready=_torch_ready,
            numpy=lambda leaf: leaf.detach().cpu().numpy(),
        ),
        Library(
            "cupy",
            lambda threads: importlib.import_module("cupy"),
            array=lambda cupy, leaf: cupy.asarray(leaf),
            ready=_cupy_ready,
            numpy=_cupy_numpy,
        ),
    )
}
