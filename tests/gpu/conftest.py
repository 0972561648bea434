"""The engine on a GPU: on a stand-in for CuPy (see stand_in.py), and on a card with ``-m gpu``."""

import sys

import pytest

import adlib
from adlib.backends import cupy_
from adlib.compile.cuda import blas, graphs, orders, parts
from adlib.core import backend
from adlib.core.primitive import registry
from tests.gpu import installed, runtime, simulator, stand_in


@pytest.fixture(params=["stand-in", pytest.param("card", marks=pytest.mark.gpu)])
def gpu(request, monkeypatch):
    """The array module of a second device."""
    for table in ("_by_type", "_by_platform"):
        monkeypatch.setattr(backend, table, dict(getattr(backend, table)))
    monkeypatch.setattr(backend, "several", False)
    monkeypatch.setattr(blas, "_made", [])
    monkeypatch.setattr(graphs, "_recorder", graphs._Recorder())
    if request.param == "card":
        import cupy

        module = cupy
    else:
        module = stand_in.Cupy()
        monkeypatch.setattr(runtime.RUNTIME, "counts", {})
        monkeypatch.setattr(cupy_, "cublas", lambda cupy: runtime.CUBLAS)
        for name, part in installed.parts_of(module).items():
            monkeypatch.setitem(sys.modules, name, part)
    made = cupy_.of_module(module)
    backend.register(made)
    monkeypatch.setattr(cupy_, "load", lambda: made)
    yield module
    for primitive in registry.values():  # kernels of the module that goes away
        for key in [k for k in primitive.eager_cache if k and k[0] == "gpu"]:
            del primitive.eager_cache[key]
    adlib.clear_caches()


@pytest.fixture
def cuda(gpu, monkeypatch):
    """The same, with kernels of our own; without a card they run on the CPU (see simulator.py)."""
    if isinstance(gpu, stand_in.Cupy):
        if simulator.compiler() is None:
            pytest.skip("there is no C++ compiler to run kernels with")
        installed.kernels(gpu)
        monkeypatch.setattr(parts, "Start", installed.started(orders.Start))
    return gpu
