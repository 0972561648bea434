"""The classes of errors, and what their messages tell."""

import re
from pathlib import Path

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import errors, grad, jit, vmap
from adlib.base import errors as base

HERE = Path(__file__).name

BASES = {
    "JAXTypeError": TypeError,
    "JAXIndexError": IndexError,
    "ConcretizationTypeError": TypeError,
    "TracerBoolConversionError": base.ConcretizationTypeError,
    "TracerIntegerConversionError": TypeError,
    "TracerArrayConversionError": TypeError,
    "NonConcreteBooleanIndexError": IndexError,
    "UnexpectedTracerError": TypeError,
    "JaxprTypeError": TypeError,
    "TypePromotionError": ValueError,
}


@pytest.mark.parametrize("name", BASES)
def test_classes(name):
    assert issubclass(getattr(base, name), BASES[name])
    assert getattr(base, name).__doc__


@pytest.mark.parametrize("name", [n for n in BASES if n.startswith(("Tracer", "Con", "Unex"))])
def test_the_public_module_has_them(name):
    assert getattr(errors, name) is getattr(base, name)


x3 = np.arange(3.0, dtype=np.float32)

# name: (what is done, class, pieces of the message)
CONVERSIONS = {
    "bool of a computed value": (
        lambda: jit(lambda x: bool(jnp.sin(x) > 0))(1.0), base.TracerBoolConversionError,
        ["StageTracer of type bool[]", "The value was made at", "jnp.sin(x) > 0", "lax.cond"]),
    "bool of an array": (
        lambda: jit(lambda x: bool(x))(x3), base.TracerBoolConversionError,
        ["It also has shape (3,)", "jnp.any(...)"]),
    "bool within vmap": (
        lambda: vmap(lambda x: bool(x > 0))(x3), base.TracerBoolConversionError,
        ["BatchTracer of type bool[]"]),
    "float": (lambda: jit(float)(1.0), base.ConcretizationTypeError, ["float(...) needs"]),
    "int": (lambda: jit(int)(1.0), base.ConcretizationTypeError, ["int(...) needs"]),
    "complex": (lambda: jit(complex)(1.0), base.ConcretizationTypeError, ["complex(...)"]),
    "item": (lambda: jit(lambda x: x.item())(1.0), base.ConcretizationTypeError, ["item(...)"]),
    "tolist": (lambda: vmap(lambda x: x.tolist())(x3), base.ConcretizationTypeError, ["tolist"]),
    "index": (lambda: jit(lambda i: (1, 2)[i])(1), base.TracerIntegerConversionError,
              ["A Python integer is needed", "static_argnums"]),
    "array": (lambda: grad(lambda x: np.asarray(x).sum())(1.0), base.TracerArrayConversionError,
              ["Tracer of type f32[]", "jnp.sin, not np.sin"]),
    "assignment": (lambda: jnp.ones(3).__setitem__(slice(None), 1.0), TypeError,
                   ["adlib arrays are immutable",
                    ".at[idx].set(value)", "f32[3]"]),
    "iteration": (lambda: jit(lambda x: list(x))(1.0), TypeError,
                  ["iteration over a traced array of rank 0"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions(name):
    act, error, pieces = CONVERSIONS[name]
    with pytest.raises(error) as caught:
        act()
    message = str(caught.value)
    for piece in pieces:
        assert piece in message
    assert re.search(rf"at {re.escape(HERE)}:\d+: \S", message)


def test_known_values_do_convert_within_grad():
    seen = []

    def f(x):
        seen.append((bool(x > 1), int(x), complex(x), x.item(), f"{x:.2f}", x.tolist()))
        return x * x

    grad(f)(2.5)
    assert seen == [(True, 2, 2.5 + 0j, 2.5, "2.50", 2.5)]


def test_a_leaked_value_names_its_kind_and_place():
    kept = []
    jit(lambda x: kept.append(jnp.sin(x)) or x)(1.0)
    with pytest.raises(base.UnexpectedTracerError) as caught:
        kept[0] * 2
    message = str(caught.value)
    assert "StageTracer of type f32[]" in message
    assert "The value was made at" in message and "kept.append(jnp.sin(x))" in message
    assert "Repair: return the value from the transformed function" in message


def test_promotion_error_names_the_dtypes():
    with adlib.numpy_dtype_promotion("strict"), pytest.raises(base.TypePromotionError) as caught:
        jnp.ones(2) + jnp.ones(2, jnp.int32)
    message = str(caught.value)
    assert "Input dtypes float32, int32 have no implicit promotion" in message
    assert "Repair: convert explicitly with x.astype(...)." in message
    assert HERE in message
