"""Floating-point warnings: off in our kernels, the user's own outside."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.core import quiet


def test_enter_and_leave():
    before = np.geterr()
    token = quiet.enter()
    try:
        assert set(np.geterr().values()) == {"ignore"}
    finally:
        quiet.leave(token)
    assert np.geterr() == before


def test_they_nest_with_the_users_errstate():
    with np.errstate(divide="raise"):
        token = quiet.enter()
        inner = quiet.enter()
        quiet.leave(inner)
        assert np.geterr()["divide"] == "ignore"
        quiet.leave(token)
        assert np.geterr()["divide"] == "raise"


COMPUTATIONS = {
    "eager": lambda: jnp.log(jnp.array([0.0, -1.0])),
    "overflow": lambda: jnp.exp(jnp.float32(1000.0)),
    "division": lambda: jnp.ones(2) / jnp.zeros(2),
    "constant": lambda: jnp.float32(1.0) * 1e300,
    "jit": lambda: adlib.jit(jnp.log)(jnp.zeros(2)),
    "grad": lambda: adlib.grad(jnp.sqrt)(0.0),
    "grad of grad": lambda: adlib.grad(adlib.grad(jnp.log))(0.0),
    "vmap": lambda: adlib.vmap(jnp.log)(jnp.zeros(2)),
    "vjp": lambda: adlib.vjp(jnp.log, 0.0)[1](1.0),
    "linearize": lambda: adlib.linearize(jnp.log, 0.0)[1](1.0),
    "scan": lambda: adlib.lax.scan(lambda c, x: (c / x, jnp.log(x)), 1.0, jnp.zeros(2)),
    "while": lambda: adlib.lax.fori_loop(0, 2, lambda i, x: x / 0.0, 1.0),
    "checkpoint": lambda: adlib.grad(adlib.checkpoint(jnp.log))(0.0),
}


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_nothing_warns_or_raises_whatever_the_user_has_set(name):
    for _ in range(3):
        with np.errstate(all="raise"):
            COMPUTATIONS[name]()
            assert set(np.geterr().values()) == {"raise"}


@pytest.mark.parametrize("wrap", [
    lambda f: f(1.0), lambda f: adlib.jit(f)(1.0), lambda f: adlib.grad(f)(1.0),
    lambda f: adlib.vmap(f)(jnp.ones(2)),
], ids=["eager", "jit", "grad", "vmap"])  # fmt: skip
def test_the_users_numpy_warns_inside_of_a_transformed_function(wrap):
    def f(x):
        with pytest.warns(RuntimeWarning, match="divide by zero"):
            np.log(np.zeros(1))
        return x * 2.0

    wrap(f)


def rules(f):
    """x ↦ 2x, with f among its rules."""
    g, h = adlib.custom_jvp(lambda x: 2 * x), adlib.custom_vjp(lambda x: 2 * x)
    g.defjvp(lambda primals, tangents: (2 * primals[0], f(tangents[0])))
    h.defvjp(lambda x: (f(x), None), lambda _, ct: (f(ct),))
    return lambda x: g(jnp.sin(h(jnp.cos(x))))


def test_the_users_numpy_warns_inside_of_rules_too():
    asked = []

    def f(x):
        asked.append(np.geterr()["divide"])
        return 2 * x

    g = rules(f)
    for _ in range(3):
        with np.errstate(divide="print"):
            for run in (adlib.grad(g), adlib.jit(adlib.grad(g)), lambda x: adlib.vjp(g, x)[1](x)):
                run(jnp.float32(1))
    assert set(asked) == {"print"} and len(asked) > 20


def test_cotangents_that_overflow_do_not_warn():
    big = jnp.float32(3e38)
    with np.errstate(all="raise"):
        for _ in range(3):
            pullback = adlib.vjp(lambda x: (x, x, 2 * x), big)[1]
            assert pullback((big, big, big))[0] == np.inf


def test_a_numpy_that_keeps_its_error_state_elsewhere(run_python):
    run_python(
        "import numpy as np, numpy._core.umath as umath\n"
        "del umath._extobj_contextvar\n"
        "import adlib, adlib.numpy as jnp\n"
        "from adlib.core import quiet\n"
        "before = np.geterr()\n"
        "token = quiet.enter()\n"
        "assert set(np.geterr().values()) == {'ignore'}\n"
        "quiet.leave(token)\n"
        "assert np.geterr() == before\n"
        "assert float(adlib.grad(jnp.sqrt)(0.0)) == float('inf')\n"
    )
