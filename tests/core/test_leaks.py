"""Tracers that outlive their transformation are found, and who holds them is named."""

import types

import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, jit, lax, vmap
from adlib.errors import UnexpectedTracerError

in_module = []


def double(x):
    in_module.append(x)
    return 2.0 * x


WAYS = {
    "jit": lambda f: jit(f)(1.0),
    "grad": lambda f: grad(f)(1.0),
    "vmap": lambda f: vmap(f)(jnp.ones(3)),
    "make_jaxpr": lambda f: adlib.make_jaxpr(f)(1.0),
    "jvp": lambda f: adlib.jvp(f, (1.0,), (1.0,)),
    "linearize": lambda f: adlib.linearize(f, 1.0),
    "scan": lambda f: lax.scan(lambda c, x: (f(c), x), 1.0, jnp.ones(2)),
    "inner grad": lambda f: grad(lambda y: y * grad(f)(y))(1.0),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_list_in_a_function_is_named(way):
    kept = []

    def f(x):
        kept.append(x)
        return 2.0 * x

    with adlib.checking_leaks():
        with pytest.raises(UnexpectedTracerError, match=r"(?s)Leaked tracer.*held by kept\[") as e:
            WAYS[way](f)
    assert "a variable of test_a_list_in_a_function_is_named" in str(e.value)
    assert "test_leaks.py" in str(e.value) and "Repair: return the value" in str(e.value)


def test_attributes_keys_and_modules_are_named():
    box = types.SimpleNamespace()

    def f(x):
        box.store = {"a": (x, x)}
        return x

    with adlib.checking_leaks():
        with pytest.raises(UnexpectedTracerError, match=r"box\.store\['a'\]\[0\], a variable of"):
            grad(f)(1.0)
        del box.store
        with pytest.raises(UnexpectedTracerError, match=r"in_module\[0\], a variable of module"):
            grad(double)(1.0)
    in_module.clear()


def test_the_line_that_made_the_value_is_named():
    kept = []

    def f(x):
        kept.append(jnp.sin(x))
        return x

    with adlib.checking_leaks():
        with pytest.raises(UnexpectedTracerError, match=r"made at .*kept.append\(jnp.sin\(x\)\)"):
            jit(f)(1.0)


def f(x):
    return jnp.sum(jnp.sin(x) ** 2)


CLEAN = {
    "jit of grad": lambda: jit(grad(f))(jnp.ones(3)),
    "vjp": lambda: adlib.vjp(f, jnp.ones(3))[1](1.0),
    "linearize": lambda: adlib.linearize(f, jnp.ones(3))[1](jnp.ones(3)),
    "checkpoint": lambda: grad(adlib.checkpoint(f))(jnp.ones(3)),
    "scan": lambda: grad(lambda c: lax.scan(lambda c, x: (c * x, c), c, jnp.ones(2))[0])(2.0),
}


@pytest.mark.parametrize("name", CLEAN)
def test_programs_that_keep_nothing_pass(name):
    with adlib.checking_leaks():
        CLEAN[name]()


def test_nothing_is_looked_for_otherwise():
    kept = []
    assert float(grad(lambda x: kept.append(x) or x * x)(2.0)) == 4.0
    with pytest.raises(UnexpectedTracerError, match="used outside"):
        jnp.sin(kept[0])


def test_another_error_is_not_hidden():
    kept = []

    def f(x):
        kept.append(x)
        raise KeyError("mine")

    with adlib.checking_leaks(), pytest.raises(KeyError, match="mine"):
        grad(f)(1.0)
