"""The engine on a stand-in for CuPy (see stand_in.py)."""

import sys
import types

import pytest

import adlib
from adlib.backends import cupy_
from adlib.core import backend
from adlib.core.primitive import registry
from tests.gpu import stand_in


@pytest.fixture
def gpu(monkeypatch):
    """A second device, which stands in for a GPU; gives its array module."""
    for table in ("_by_type", "_by_platform"):
        monkeypatch.setattr(backend, table, dict(getattr(backend, table)))
    monkeypatch.setattr(backend, "several", False)
    module = stand_in.Cupy()
    for name in ("cupyx", "cupyx.scipy"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupyx.scipy.special", module.special)
    made = cupy_.of_module(module)
    backend.register(made)
    monkeypatch.setattr(cupy_, "load", lambda: made)
    yield module
    for primitive in registry.values():  # kernels of the module that goes away
        for key in [k for k in primitive.eager_cache if k and k[0] == "gpu"]:
            del primitive.eager_cache[key]
    adlib.clear_caches()
