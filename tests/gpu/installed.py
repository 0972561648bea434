"""The stand-in for CuPy as a process's GPU: ``install()``, also from the environment.

With ``tests/gpu/startup`` on PYTHONPATH, a process computes on a GPU by default, from its start:
``ADLIB_TEST_GPU=stand-in`` (``kernels``: our own kernels, too, run by the simulator), or ``card``.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from tests.gpu import runtime, stand_in


def parts_of(module: stand_in.Cupy) -> dict[str, types.ModuleType]:
    """What stands in ``sys.modules`` beside it."""
    made = {name: types.ModuleType(name) for name in ("cupyx", "cupyx.scipy")}
    return {**made, "cupyx.scipy.special": module.special}


def kernels(module: stand_in.Cupy) -> None:
    """Let our own kernels run, on the CPU."""
    from tests.gpu import simulator

    compiler = simulator.Simulator()
    module.RawModule = lambda code, options=(): runtime.RawModule(compiler(code, options))


def started(start: type) -> type:
    """``Start`` for kernels of the simulator, which wants to know how much memory each pointer
    means."""

    class Start(start):
        __slots__ = ("sizes",)

        def __init__(self, function, blocks, threads, places, shared=0):
            super().__init__(function, blocks, threads, places, shared)
            self.sizes = [place.size for place in places]

        def issue(self, addresses, queue):
            pieces = [
                runtime.Piece(addresses[array] + offset, size)
                for (array, offset), size in zip(self.places, self.sizes, strict=True)
            ]
            self.function(self.blocks, self.threads, pieces)

    return Start


def install(with_kernels: bool = False) -> Any:
    """Make the stand-in the GPU of this process for good; returns it."""
    import adlib
    from adlib.backends import cupy_
    from adlib.compile.cuda import orders, parts
    from adlib.core import backend

    module = stand_in.Cupy()
    sys.modules.update(parts_of(module))
    sys.modules["cupy"] = module
    made = cupy_.of_module(module)
    backend.register(made)
    cupy_.load = lambda: made
    cupy_.cublas = lambda cupy: runtime.CUBLAS
    if with_kernels:
        kernels(module)
        parts.Start = started(orders.Start)
    adlib.config.update("jax_platform_name", "gpu")
    return module
