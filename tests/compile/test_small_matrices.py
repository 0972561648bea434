"""Small matrices are factorized by loops, to the results of LAPACK."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.library import small_matrices
from tests.compile.test_lapack import (
    DTYPES,
    _wide,
    agree,
    apply,
    positive,
    random,
)

__all__ = ["_wide"]  # a fixture of all tests here


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 5, 6, 12, 16])
def test_many_small_matrices(n, dtype):
    many = 2 * small_matrices.OFTEN
    x = random((many, n, n), dtype)
    x[0] = 0
    definite = positive((many, n, n), dtype)
    definite[1] *= -1
    definite[2, -1, -1] = np.nan
    definite[3, n // 2, 0] = np.nan

    def f(x, definite, b):
        factors, pivots, order = apply("lu", x)
        outs = [factors, pivots, order, *apply("cholesky", definite)]
        regular = x + 3 * n * jnp.eye(n, dtype=dtype)
        lu, exchanges, _ = apply("lu", regular)
        for trans, k in itertools.product((0, 1, 2), (1, 4)):
            outs += apply("lu_solve", regular, lu, exchanges, b[..., :k], trans=trans)
        return outs

    agree(f, x, definite, random((many, n, 4), dtype, 1), factor=1e3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 3])
def test_many_small_triangular_systems(columns, dtype):
    n, many = 4, small_matrices.OFTEN
    a = (0.3 * random((many, n, n), dtype) + 3 * np.eye(n)).astype(dtype)

    def f(a, left, right):
        outs = []
        for side, lower, trans, conj, unit in itertools.product((False, True), repeat=5):
            flags = dict(transpose_a=trans, conjugate_a=conj, unit_diagonal=unit, lower=lower)
            b = left if side else right
            outs += apply("triangular_solve", a, b, left_side=side, **flags)
        return outs

    sides = random((many, n, columns), dtype, 1), random((many, columns, n), dtype, 2)
    agree(f, a, *sides, factor=100)


def test_small_systems_in_long_loops():
    def step(x, b):
        x = jnp.linalg.solve(jnp.eye(3) * 4 + jnp.outer(x, b), b + x)
        return x, jnp.linalg.cholesky(jnp.outer(x, x) + jnp.eye(3))

    agree(lambda x, bs: lax.scan(step, x, bs), np.ones(3), random((100, 3), np.float64))


def test_complex_division_does_not_overflow():
    big = np.full((small_matrices.OFTEN, 1, 1), 1e200 + 1e200j)
    flags = dict(left_side=True, lower=True, transpose_a=False, conjugate_a=False)
    out = adlib.jit(partial(apply, "triangular_solve", unit_diagonal=False, **flags))(big, big)
    np.testing.assert_allclose(np.asarray(out[0]), 1, rtol=1e-15)
