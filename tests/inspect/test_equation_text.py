"""Equations as a student writes them."""

import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect.equation_text import equation_text


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: x * 2.0, "r = p · q"),
        (lambda x: x + x, "r = p + q"),
        (lambda x: x - 1.0, "r = p − q"),
        (lambda x: x / 3.0, "r = p / q"),
        (lambda x: -x, "r = −p"),
        (lambda x: x**3, "r = p^3"),
        (lambda x: x < 1.0, "r = [p < q]"),
        (lambda x: jnp.sin(x), "r = sin p"),
        (lambda x: jnp.sum(x), "r = reduce_sum p"),
        (lambda x: x @ x, "r = p @ q"),
        (lambda x: jnp.tensordot(x, x, 0), "r = p ⊗ q"),
    ],
)
def test_forms(function, text):
    eqn = adlib.make_jaxpr(function)(jnp.ones(3)).eqns[0]
    assert equation_text(eqn, ["r"], ["p", "q"][: len(eqn.invars)]) == text


@pytest.mark.parametrize(
    ("subscripts", "text"),
    [
        ("ij,jk->ik", "r = p @ q"),
        ("ij,kj->ik", "r = dot_general[contract=1·1] p q"),
        ("bij,bjk->bik", "r = dot_general[contract=2·1, batch=0·0] p q"),
    ],
)
def test_matrix_products(subscripts, text):
    ranks = [len(part) for part in subscripts.split("->")[0].split(",")]
    args = [jnp.ones((3,) * rank) for rank in ranks]
    eqns = adlib.make_jaxpr(lambda x, y: jnp.einsum(subscripts, x, y))(*args).eqns
    (eqn,) = (e for e in eqns if e.primitive.name == "dot_general")
    assert equation_text(eqn, ["r"], ["p", "q"]) == text


def test_sums_over_some_axes_name_them():
    eqn = adlib.make_jaxpr(lambda x: x.sum(0))(jnp.ones((2, 3))).eqns[0]
    assert equation_text(eqn, ["r"], ["p"]) == "r = reduce_sum[axes=(0,)] p"


def test_long_ones_are_cut():
    eqn = adlib.make_jaxpr(jnp.sin)(1.0).eqns[0]
    assert len(equation_text(eqn, ["r" * 100], ["p"])) == 64
