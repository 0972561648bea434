"""A failure of the compiler loses no result, and its warning names the equation."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile import cache, engine, failures, lowering
from adlib.compile.simplify import algebra

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")


@pytest.fixture(autouse=True)
def native():
    with adlib.config.override(jit_backend="native"):
        yield


def broken(*_args, **_params):
    raise RuntimeError("no such register")


def program(x):
    y = jnp.exp(x) * 3.0
    return jnp.sin(y) + x  # the line of the broken equation


def run_and_catch(fun, *args):
    """The result, and the text of the one warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        jitted = adlib.jit(fun)
        result = jitted(*args)
        jitted(*args)
    assert len(caught) == 1 and caught[0].category is RuntimeWarning
    return result, str(caught[0].message)


def test_a_broken_lowering_is_named_with_types_and_source_line(monkeypatch):
    monkeypatch.setitem(lowering.LOWERINGS, "sin", broken)
    x = jnp.arange(3.0)
    result, text = run_and_catch(program, x)
    np.testing.assert_allclose(result, np.sin(np.exp(x) * 3.0) + x, rtol=1e-5)
    assert "adlib's compiler failed (RuntimeError: no such register) at the equation" in text
    assert re.search(
        r"  sin f32\[3\] -> f32\[3\] at test_failures\.py:\d+: return jnp\.sin\(y\) \+ x  # the",
        text,
    )
    assert "reference executor" in text and "report" in text and '"jit_backend", "python"' in text


def test_an_equation_inside_of_a_loop_is_named(monkeypatch):
    monkeypatch.setitem(lowering.LOWERINGS, "cos", broken)

    def looped(x):
        return adlib.lax.fori_loop(0, 5, lambda i, x: jnp.cos(x) * 2.0, x)

    result, text = run_and_catch(looped, jnp.ones(4))
    wanted = np.ones(4, np.float32)
    for _ in range(5):
        wanted = np.cos(wanted) * 2
    np.testing.assert_allclose(result, wanted, rtol=1e-5)
    assert "\n  cos f32[4] -> f32[4] at test_failures.py:" in text


def test_a_pass_of_the_simplifier_that_fails_is_named(monkeypatch):
    monkeypatch.setitem(algebra.RULES, "mul", broken)
    _, text = run_and_catch(program, jnp.arange(5.0))
    assert "\n  mul f32[5] f32[] -> f32[5] at test_failures.py:" in text


def test_without_an_equation_the_program_is_named(monkeypatch):
    monkeypatch.setattr(cache, "load", broken)
    _, text = run_and_catch(program, jnp.arange(6.0))
    assert "on a program that begins\n  exp f32[6] -> f32[6] at test_failures.py:" in text
    assert "The program, 4 equations in all," in text


def test_the_innermost_equation_stays():
    closed = adlib.make_jaxpr(program)(1.0)
    error = ValueError("x")
    assert failures.equation_of(error) is None
    failures.at(error, closed.eqns[1])
    failures.at(error, closed.eqns[0])
    assert failures.equation_of(error) is closed.eqns[1]
