"""How each library is loaded, given arrays, waited for, and read back.

Only the worker processes call ``load``: each library lives in a process of its own, so that none
pays for another's imports, threads or garbage.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply to every leaf of nested lists, tuples and dicts."""
    if isinstance(tree, dict):
        return {key: tree_map(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(tree_map(function, value) for value in tree)
    return function(tree)


def tree_leaves(tree: Any) -> list:
    """Leaves in a fixed order (dicts by sorted key)."""
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree) for leaf in tree_leaves(tree[key])]
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in tree_leaves(value)]
    return [tree]


@dataclass(frozen=True)
class Library:
    """One library as the worker sees it.

    Attributes:
      load: ``load(threads)`` imports the library and returns the module handed to forms.
      array: turns a NumPy array into the library's array, given the module.
      ready: returns only when a result has been computed, given the module.
      numpy: turns one leaf of a result into a NumPy array.
      numpy_memory: the library's arrays are NumPy's, so tracemalloc sees them.
      keep_64_bits: says, given the module and a bool, whether 64-bit types are kept.
      forget: drops every trace and compiled program that the process holds, given the module.
      limits: what the device does in this moment, given the module and the bytes of a number:
        see ``Worker.limits``, which measures the CPU where this is None.
    """

    name: str
    load: Callable[[int], Any]
    array: Callable[[Any, np.ndarray], Any]
    ready: Callable[[Any, Any], Any]
    numpy: Callable[[Any], np.ndarray] = np.asarray
    numpy_memory: bool = False
    keep_64_bits: Callable[[Any, bool], Any] = lambda module, keep: None
    forget: Callable[[Any], Any] = lambda module: None
    limits: Callable[[Any, int], dict[str, float]] | None = None

    def arrays(self, module: Any, tree: Any) -> Any:
        """The tree with NumPy arrays turned into the library's; other leaves (sizes) stay."""

        def convert(leaf: Any) -> Any:
            is_array = isinstance(leaf, (np.ndarray, np.generic))
            return self.array(module, leaf) if is_array else leaf

        return tree_map(convert, tree)

    def numpy_leaves(self, result: Any) -> list[np.ndarray]:
        return [self.numpy(leaf) for leaf in tree_leaves(result)]


def _load_jax_like(name: str) -> Callable[[int], Any]:
    def load(threads: int) -> Any:
        importlib.import_module(f"{name}.numpy")
        return importlib.import_module(name)

    return load


def _x64_flag(jax: Any, keep: bool) -> None:
    jax.config.update("jax_enable_x64", keep)


def _forget_adlib(adlib: Any) -> None:
    """What lies on disk stays: whether that is used is the environment's choice."""
    with adlib.config.override(jit_disk_cache=False):
        adlib.clear_caches()


def _load_autograd(threads: int) -> Any:
    importlib.import_module("autograd.numpy")
    importlib.import_module("autograd.scipy.special")
    return importlib.import_module("autograd")


def _load_numba(threads: int) -> Any:
    return importlib.import_module("numba")


def _load_torch(threads: int) -> Any:
    torch = importlib.import_module("torch")
    importlib.import_module("torch.func")
    importlib.import_module("torch.utils.checkpoint")
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)
    return torch


LIBRARIES = {
    library.name: library
    for library in (
        Library(
            "adlib",
            _load_jax_like("adlib"),
            array=lambda adlib, leaf: adlib.numpy.asarray(leaf),
            ready=lambda adlib, result: adlib.block_until_ready(result),
            numpy_memory=True,
            keep_64_bits=_x64_flag,
            forget=_forget_adlib,
        ),
        Library(
            "jax",
            _load_jax_like("jax"),
            array=lambda jax, leaf: jax.numpy.asarray(leaf),
            ready=lambda jax, result: jax.block_until_ready(result),
            keep_64_bits=_x64_flag,
            forget=lambda jax: jax.clear_caches(),
        ),
        Library(
            "autograd",
            _load_autograd,
            array=lambda autograd, leaf: leaf,
            ready=lambda autograd, result: result,
            numpy_memory=True,
        ),
        Library(
            "torch",
            _load_torch,
            array=lambda torch, leaf: torch.from_numpy(np.array(leaf)),
            ready=lambda torch, result: result,
            numpy=lambda leaf: leaf.detach().numpy(),
        ),
        Library(
            "numba",
            _load_numba,
            array=lambda numba, leaf: leaf,
            ready=lambda numba, result: result,
        ),
    )
}


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that hold every library to the same number of CPU threads."""
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "NUMBA_NUM_THREADS": count,
        # XLA sizes its thread pools by NPROC; there is no flag that does the same.
        "NPROC": count,
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }
