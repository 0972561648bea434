"""Jaxprs as text; whole programs in the field's form are in tests/api/test_compilation.py."""

import enum
from typing import NamedTuple

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, make_jaxpr
from adlib.core.printer import format_jaxpr, variable_names

# Literals as JAX 0.10.2 prints them.
LITERALS = {
    "float": (lambda x: x * 2.0, (1.0,), "mul a 2.0:f32[]"),
    "int": (lambda x: x * 2, (1,), "mul a 2:i32[]"),
    "negative": (lambda x: x * -0.5, (1.0,), "mul a -0.5:f32[]"),
    "infinite": (lambda x: x * jnp.inf, (1.0,), "mul a inf:f32[]"),
    "nan": (lambda x: x * jnp.nan, (1.0,), "mul a nan:f32[]"),
    "bool": (lambda x: x & True, (True,), "and a True:bool[]"),
    "complex": (lambda x: x * 2j, (1j,), "mul a 2j:c64[]"),
    "bfloat16": (lambda x: x * 2.0, (np.ones(2, jnp.bfloat16),), "mul a 2.0:bf16[]"),
    "a result": (lambda x: (x, 7), (1.0,), "in (a, 7:i32[])"),
}


@pytest.mark.parametrize("name", LITERALS)
def test_literals(name):
    f, args, text = LITERALS[name]
    assert text in str(make_jaxpr(f)(*args))


class Mode(enum.Enum):
    FAST = 1


class Numbers(NamedTuple):
    lhs: tuple
    rhs: int


def rule():
    pass


# parameter: its text
PARAMETERS = {
    "dtype": (np.dtype("float32"), "p[by=float32] a"),
    "key dtype": (core.array.dtypes.key_fry, "p[by=key<fry>] a"),
    "none": (None, "p[by=None] a"),
    "string": ("name", "p[by=name] a"),
    "number": (0.5, "p[by=0.5] a"),
    "bool": (True, "p[by=True] a"),
    "tuple": ((1, (2, None)), "p[by=(1, (2, None))] a"),
    "tuple of one": ((1,), "p[by=(1,)] a"),
    "empty tuple": ((), "p[by=()] a"),
    "list": ([1, 2], "p[by=[1, 2]] a"),
    "tuple of dtypes": ((np.dtype(bool),), "p[by=(bool,)] a"),
    "named tuple": (Numbers((1,), 2), "p[by=Numbers(lhs=(1,), rhs=2)] a"),
    "enum": (Mode.FAST, "p[by=<Mode.FAST: 1>] a"),
    "function": (rule, "p[by=rule] a"),
    "object on two lines": (np.eye(2), "p[by=[[1. 0.] [0. 1.]]] a"),
}
p = core.Primitive("p")
p.def_abstract_eval(lambda x, **params: x)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    value, text = PARAMETERS[name]
    assert text in str(make_jaxpr(lambda x: p.bind(x, by=value))(1.0))


def test_parameters_stand_in_the_order_of_their_names_and_private_ones_are_hidden():
    text = str(make_jaxpr(lambda x: p.bind(x, b=1, _c=2, a=3, name="f"))(1.0))
    assert "p[name=f a=3 b=1] a" in text


def test_a_program_without_equations_inputs_or_results():
    assert str(make_jaxpr(lambda: ())()) == "{ lambda ; . let  in () }"
    assert str(make_jaxpr(lambda x: ())(1.0)) == "{ lambda ; a:f32[]. let  in () }"
    assert str(make_jaxpr(lambda: 1.0)()) == "{ lambda ; . let  in (1.0:f32[],) }"


def test_constants_stand_before_the_semicolon():
    text = str(make_jaxpr(lambda x: x + np.arange(3.0, dtype=np.float32))(1.0))
    assert text.startswith("{ lambda a:f32[3]; b:f32[]. let")


def test_results_that_nobody_reads_are_underscores():
    text = str(make_jaxpr(lambda x: (jnp.exp(x), x)[1])(1.0))
    assert text == "{ lambda ; a:f32[]. let _:f32[] = exp a in (a,) }"


def test_long_lines_are_wrapped():
    def f(*xs):
        return sum(jnp.sin(x) for x in xs)

    text = str(make_jaxpr(f)(*np.ones(40, np.float32)))
    lines = text.split("\n")
    assert all(len(line) <= 90 for line in lines)
    assert len([line for line in lines if "= sin" in line]) == 40


def test_variable_names_are_those_of_the_text():
    def f(x):
        return adlib.lax.cond(x > 0, jnp.sin, lambda v: jnp.cos(v) * v, x)

    jaxpr = make_jaxpr(f)(1.0).jaxpr
    names = variable_names(jaxpr)
    text = format_jaxpr(jaxpr)
    assert names[jaxpr.invars[0]] == "a"
    (cond,) = [e for e in jaxpr.eqns if e.primitive.name == "cond"]
    inner = cond.params["branches"][0].jaxpr
    assert f"{names[inner.eqns[0].outvars[0]]}:f32[] = cos {names[inner.invars[0]]}" in text
    assert sorted(names.values()) == sorted(set(names.values()))


def test_two_functions_of_one_name_are_told_apart():
    def make(g):
        def same(x):
            return g(x)

        return adlib.jit(same)

    f, h = make(jnp.sin), make(jnp.cos)
    text = str(make_jaxpr(lambda x: f(f(x)) + h(h(x)))(1.0))
    assert text.count("jaxpr=same]") == 2 and text.count("jaxpr=same1]") == 2
    assert "let same = {" in text and "let same1 = {" in text


def test_inside_of_a_call_variables_go_by_the_callers_names():
    text = str(make_jaxpr(adlib.jit(lambda x: jnp.sin(x)))(1.0))
    assert "jaxpr={ lambda ; a:f32[]. let b:f32[] = sin a in (b,) }" in text
    assert text.rstrip().endswith("in (b,) }")
