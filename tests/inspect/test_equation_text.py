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
        (lambda x: jnp.sum(x), "r = reduce_sum[axes=(0,)] p"),
    ],
)
def test_forms(function, text):
    eqn = adlib.make_jaxpr(function)(jnp.ones(3)).eqns[0]
    assert equation_text(eqn, ["r"], ["p", "q"][: len(eqn.invars)]) == text


def test_long_ones_are_cut():
    eqn = adlib.make_jaxpr(jnp.sin)(1.0).eqns[0]
    assert len(equation_text(eqn, ["r" * 100], ["p"])) == 64
