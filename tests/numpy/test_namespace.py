"""The public names of adlib.numpy: present, documented, and cheap to import."""

import inspect
import types

import pytest

import adlib.numpy as jnp

CORE = """
abs add all allclose any arange argmax argmin argsort array array_equal asarray astype
broadcast_to clip concatenate conj cos cross cumsum diag dot einsum exp expand_dims eye float32
full inf inner int32 isnan linspace log log1p matmul max maximum mean meshgrid min minimum moveaxis
nan ndarray newaxis ones ones_like outer pad pi power prod ravel real repeat reshape roll round sign
sin sort split sqrt square squeeze stack std sum take tanh tensordot tile transpose tril unique var
vdot vectorize vstack where zeros zeros_like
""".split()

WITHOUT_EXAMPLE = {"save", "savez", "load", "fromfile"}


def functions():
    return [
        (name, value)
        for name in jnp.__all__
        if isinstance(value := getattr(jnp, name), types.FunctionType)
    ]


def test_core_names_are_there():
    assert [name for name in CORE if name not in jnp.__all__] == []
    assert [name for name in jnp.__all__ if not hasattr(jnp, name)] == []


@pytest.mark.parametrize(("name", "function"), functions())
def test_functions_are_documented_with_an_example(name, function):
    doc = inspect.getdoc(function) or ""
    assert doc.strip(), name
    if name not in WITHOUT_EXAMPLE:
        assert ">>>" in doc, f"{name} shows no example"


def test_no_module_leaks_into_the_namespace():
    modules = [n for n in jnp.__all__ if isinstance(getattr(jnp, n), types.ModuleType)]
    assert sorted(modules) == ["fft", "linalg"]


def test_path_optimizer_is_imported_when_it_is_first_needed(run_python):
    run_python(
        "import sys, adlib.numpy as jnp; x = jnp.ones((2, 2));"
        "assert 'opt_einsum' not in sys.modules;"
        "jnp.einsum('ij,jk->ik', x, x);"
        "assert 'opt_einsum' not in sys.modules;"
        "jnp.einsum('ij,jk,kl->il', x, x, x);"
        "assert 'opt_einsum' in sys.modules"
    )
