"""The reference executor: programs as straight-line Python."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, make_jaxpr
from adlib.core.program import program, run, source_code

x = jnp.arange(1.0, 4.0)


def loop(x):
    return lax.fori_loop(0, 3, lambda i, v: v * 1.5 + i, x)


def branches(x):
    return lax.cond(x[0] > 0, lambda v: (v, v * 2), lambda v: (v + 1, v), x)


FUNCTIONS = {
    "elementwise": lambda x: jnp.sin(x) * x + 2.0,
    "constants": lambda x: x + jnp.asarray(np.arange(3.0, dtype=np.float32)),
    "several results": lambda x: (x, x * 2, jnp.sum(x)),
    "argument returned": lambda x: x,
    "literal returned": lambda x: 3.0,
    "nothing": lambda x: (),
    "control flow": loop,
    "branches": branches,
    "sort": lambda x: jnp.sort(-x),
    "jit inside": adlib.jit(lambda x: adlib.jit(jnp.tanh)(x) + 1),
    "integers": lambda x: x.astype(jnp.int32) // 2,
    "gradient": adlib.grad(lambda x: jnp.sum(jnp.tanh(x) ** 2)),
    "linalg": lambda x: jnp.linalg.solve(jnp.eye(3) + jnp.outer(x, x), x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_programs_compute_what_the_evaluator_does(name):
    f = FUNCTIONS[name]
    closed = make_jaxpr(f)(x)
    wanted = adlib.tree_util.tree_leaves(f(x))
    got = run(closed, [x])
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert a.aval.str_short() == adlib.typeof(b).str_short()
        assert a._value.dtype == a.dtype and a._value.shape == a.shape
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6)


def test_generated_once_for_a_jaxpr():
    closed = make_jaxpr(jnp.sin)(x)
    assert program(closed, np) is program(closed, np)
    assert program(make_jaxpr(jnp.sin)(x), np) is not program(closed, np)


def test_the_text_is_one_line_for_each_equation_and_frees_values():
    def f(x, y):
        unused = jnp.exp(x)  # noqa: F841
        a = jnp.sin(x)
        return a * y

    closed = make_jaxpr(f)(1.0, 2.0)
    assert source_code(closed, np) == (
        "def program(arg0, arg1):\n"
        "    v0 = k0_sin(arg0)\n"
        "    del arg0\n"
        "    v1 = v0 * arg1\n"
        "    del v0, arg1\n"
        "    return (v1, )\n"
    )


def test_effects_stay_and_dead_code_goes():
    closed = make_jaxpr(lambda x: (jnp.exp(x), x)[1])(1.0)
    assert "exp" not in source_code(closed, np)


def test_inputs_are_not_written_to():
    before = x.tolist()
    for f in FUNCTIONS.values():
        run(make_jaxpr(f)(x), [x])
    assert x.tolist() == before


def test_a_name_of_a_primitive_need_not_be_an_identifier():
    strange = adlib.core.Primitive("2nd-try!")
    strange.def_abstract_eval(lambda x: x)
    strange.def_impl(lambda x: -x)
    assert adlib.jit(strange.bind)(x).tolist() == [-1, -2, -3]
