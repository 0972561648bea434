"""The checker finds each kind of broken jaxpr."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, lax, make_jaxpr
from adlib.base.errors import JaxprTypeError
from adlib.core import Eqn, Jaxpr, ShapedArray, Var, check_jaxpr

f32 = np.dtype("float32")
vector, matrix = ShapedArray((3,), f32), ShapedArray((3, 3), f32)
integers = ShapedArray((3,), np.dtype("int32"))
sin, mul, jit = (core.registry[n] for n in ("sin", "mul", "jit"))


def parts():
    """x ↦ sin(x) * x as variables and equations to break; the equations know their line."""
    jaxpr = make_jaxpr(lambda x: jnp.sin(x) * x)(jnp.ones(3)).jaxpr
    return jaxpr, jaxpr.invars[0], *jaxpr.eqns


def used_before_bound():
    jaxpr, x, first, second = parts()
    return Jaxpr([], [x], jaxpr.outvars, [second, first])


def never_bound():
    jaxpr, x, first, second = parts()
    return Jaxpr([], [], jaxpr.outvars, [first, second])


def output_not_bound():
    jaxpr, x, first, second = parts()
    return Jaxpr([], [x], [Var(vector)], [first, second])


def bound_twice():
    jaxpr, x, first, second = parts()
    return Jaxpr([], [x], jaxpr.outvars, [first, first, second])


def input_twice():
    jaxpr, x, first, second = parts()
    return Jaxpr([], [x, x], jaxpr.outvars, [first, second])


def constant_is_input():
    jaxpr, x, first, second = parts()
    return Jaxpr([x], [x], jaxpr.outvars, [first, second])


def wrong_shape():
    jaxpr, x, first, second = parts()
    out = Var(matrix)
    return Jaxpr([], [x], [out], [first, second.replace(outvars=[out])])


def wrong_dtype():
    jaxpr, x, first, second = parts()
    out = Var(integers)
    return Jaxpr([], [x], [out], [first, second.replace(outvars=[out])])


def wrong_count():
    jaxpr, x, first, second = parts()
    return Jaxpr(
        [], [x], jaxpr.outvars, [first, second.replace(outvars=[*second.outvars, Var(vector)])]
    )


def broken_inside():
    inner = core.ClosedJaxpr(wrong_shape(), [])
    x, out = Var(vector), Var(matrix)
    return Jaxpr([], [x], [out], [Eqn(jit, [x], [out], {"jaxpr": inner, "name": "f"})])


def call_of_another_type():
    jaxpr = parts()[0]
    x, out = Var(vector), Var(matrix)
    params = {"jaxpr": core.ClosedJaxpr(jaxpr, []), "name": "f"}
    return Jaxpr([], [x], [out], [Eqn(jit, [x], [out], params)])


# broken program: pieces of the message
BROKEN = {
    used_before_bound: ["variable used before it is bound", "= mul", "test_check.py:"],
    never_bound: ["variable used before it is bound", "= sin"],
    output_not_bound: ["output is never bound", ":f32[3]"],
    bound_twice: ["variable bound twice", "as result of sin"],
    input_twice: ["variable bound twice", "as input"],
    constant_is_input: ["variable bound twice", "as input"],
    wrong_shape: ["results have types ['f32[3,3]']", "rule of mul says ['f32[3]']",
                  "jnp.sin(x) * x"],
    wrong_dtype: ["results have types ['i32[3]']", "says ['f32[3]']"],
    wrong_count: ["['f32[3]', 'f32[3]']", "says ['f32[3]']"],
    broken_inside: ["rule of mul says ['f32[3]']"],
    call_of_another_type: ["= jit", "rule of jit says ['f32[3]']"],
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN, ids=lambda f: f.__name__)
def test_broken_programs(broken):
    with pytest.raises(JaxprTypeError) as caught:
        check_jaxpr(broken())
    for piece in BROKEN[broken]:
        assert piece in str(caught.value)


def test_arguments_that_do_not_fit_raise_the_rules_own_error():
    x, y, out = Var(vector), Var(matrix), Var(matrix)
    with pytest.raises(TypeError, match="shapes|ranks|incompatible"):
        check_jaxpr(Jaxpr([], [x, y], [out], [Eqn(mul, [x, y], [out], {})]))


def loss(w, x):
    def step(h, xi):
        return jnp.tanh(w @ h + xi), h.sum()

    h, sums = lax.scan(step, x[0], x)
    return lax.cond(h[0] > 0, jnp.sum, lambda h: jnp.sum(h * 2), h) + sums.sum()


def solved(w, x):
    a = w + 2 * jnp.eye(3)
    solve = lambda mv, b: jnp.linalg.solve(a, b)  # noqa: E731
    back = lambda mv, b: jnp.linalg.solve(a.T, b)  # noqa: E731
    return lax.custom_linear_solve(lambda v: a @ v, x[0], solve, back).sum()


WRAPPERS = {
    "plain": lambda f: f,
    "grad": adlib.grad,
    "jit grad": lambda f: adlib.jit(adlib.grad(f)),
    "hessian": adlib.hessian,
    "jacfwd": adlib.jacfwd,
    "checkpoint": lambda f: adlib.grad(adlib.checkpoint(f)),
    "vmap grad": lambda f: adlib.vmap(adlib.grad(f), in_axes=(None, 0)),
    "grad vmap": lambda f: adlib.grad(lambda w, x: adlib.vmap(f, in_axes=(None, 0))(w, x).sum()),
}


@pytest.mark.parametrize("f", [loss, solved])
@pytest.mark.parametrize("name", WRAPPERS)
def test_what_transformations_write_is_well_formed(f, name):
    w, x = jnp.ones((3, 3)) * 0.1, jnp.ones((4, 3))
    given = jnp.stack([x, x]) if "vmap" in name else x
    check_jaxpr(make_jaxpr(WRAPPERS[name](f))(w, given).jaxpr)
