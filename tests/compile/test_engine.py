"""Where native code cannot be made, everything runs on the reference executor."""

from __future__ import annotations

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile import blas, engine, layout
from adlib.core.program import program


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setattr(engine, "available", lambda: False)


def test_without_a_compiler_auto_is_the_reference_executor(no_compiler):
    with adlib.config.override(jit_backend="auto"):
        f = adlib.jit(lambda x: jnp.sin(x) * 2)
        np.testing.assert_allclose(f(jnp.ones(3)), np.sin(1) * 2, rtol=1e-6)
        function = next(iter(f._traces.values())).function
        assert function.__code__.co_filename == "<adlib program>"


def test_without_a_compiler_native_says_how_to_get_one(no_compiler):
    with adlib.config.override(jit_backend="native"):
        with pytest.raises(ImportError, match="pip install llvmlite"):
            adlib.jit(lambda x: x + 1)(jnp.ones(3))


def test_the_reference_executor_can_be_chosen():
    with adlib.config.override(jit_backend="python"):
        closed = adlib.make_jaxpr(lambda x: x + 1)(jnp.ones(3))
        f = adlib.jit(lambda x: x + 1)
        f(jnp.ones(3))
        assert next(iter(f._traces.values())).function.__code__.co_filename == "<adlib program>"
        assert program(closed, np).__code__.co_filename == "<adlib program>"


def test_llvmlite_is_loaded_at_the_first_compilation(run_python):
    code = """
import sys, adlib, adlib.numpy as jnp
f = adlib.jit(lambda x: x + 1)
before = "llvmlite" in sys.modules
f(jnp.ones(3))
print(before, "llvmlite" in sys.modules)
"""
    assert run_python(code).split() == ["False", "True"]


def test_objects_are_laid_out_as_read():
    found = layout.layout()
    assert found.type < found.data < found.flags
    with pytest.raises(RuntimeError, match="the moon of an array object was not found"):
        layout._common([{8}, {16}], "the moon")


@pytest.mark.parametrize("find", [blas._numpys, blas._scipys])
@pytest.mark.parametrize("name, dtype", [("sdot", np.float32), ("ddot", np.float64)])
def test_routines_of_blas(find, name, dtype):
    import ctypes

    found = find(name)
    if found is None:
        pytest.skip("this NumPy brings no library of its own")
    integer = np.dtype(f"i{found.bits // 8}").type
    n, step = np.array(5, integer), np.array(1, integer)
    x, y = np.arange(5, dtype=dtype), np.full(5, 2, dtype)
    result = ctypes.c_float if dtype is np.float32 else ctypes.c_double
    dot = ctypes.CFUNCTYPE(result, *[ctypes.c_void_p] * 5)(found.address)
    arrays = (n, x, step, y, step)
    assert dot(*[a.ctypes.data for a in arrays]) == 20


def test_an_unknown_routine_is_named():
    with pytest.raises(LookupError, match="no routine nogemm of BLAS or LAPACK"):
        blas.routine("nogemm")
