"""Functions of matrices, written out as factorizations, are what their kernels compute."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import adlib
from tests.compile.test_every_primitive import same
from tests.compile.test_lapack import (
    DTYPES,
    _wide,
    agree,
    apply,
    compiled_and_reference,
    random,
)

__all__ = ["_wide"]  # a fixture of all tests here


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (2, 3, 3), (2, 3, 4, 4), (60, 60), (0, 0)])
def test_determinants(shape, dtype):
    def f(x):
        return [*apply("det", x), *apply("slogdet", x)]

    x = random(shape, dtype)
    agree(f, x, factor=500, native=x.size > 0)
    if x.size:
        x[..., 0] = 0  # singular
        agree(f, x, factor=500)
        x[..., 0, 0] = np.nan
        given, wanted, _ = compiled_and_reference(f, x)
        if x.dtype.kind == "f" or shape[-1] < 4:  # NumPy says 0 of larger complex ones
            same(given[:1], wanted[:1])
        assert np.isnan(given[0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_cofactors_and_pseudo_inverses(dtype):
    x = random((3, 4, 4), dtype)
    x[1, :, 0] = x[1, :, 1]  # singular
    x[2, 1, 1] = np.inf
    rtol = np.full(3, 1e-5, np.zeros(1, dtype).real.dtype)
    agree(lambda x, r: [*apply("cofactors", x), *apply("pinv", x, r)], x, rtol, factor=500)
    agree(lambda x, r: apply("pinv", x[:, :, :2], r), x, rtol, factor=500)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.1, 5.0])
def test_exponentials(scale, dtype):
    x = (scale * random((2, 5, 5), dtype)).astype(dtype)
    direction = random((2, 5, 5), dtype, 1)
    f = partial(apply, "expm")
    agree(lambda x, e: [*f(x), *apply("expm_frechet", x, e)], x, direction, factor=2e4)
    x[0, 1, 1], x[1, 1, 1] = np.nan, np.inf
    agree(f, x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m, n", [(1, 1), (4, 2), (13, 20)])
def test_sylvesters_equation(m, n, dtype):
    a, b, c = [random((2, *s), dtype, i) for i, s in enumerate([(m, m), (n, n), (m, n)])]
    a, b = (a / m + 2 * np.eye(m)).astype(dtype), (b / n + 2 * np.eye(n)).astype(dtype)
    agree(partial(apply, "solve_sylvester"), a, b, c, factor=200)
    a[1, 0, 0] = np.nan
    agree(partial(apply, "solve_sylvester"), a, b, c, factor=200)


@pytest.mark.parametrize("dtype", DTYPES[2:])
def test_square_roots(dtype):
    x = (random((3, 5, 5), dtype) + 4 * np.eye(5)).astype(dtype)
    e = random((3, 5, 5), dtype, 1)
    x[1, 2, 3] = np.inf
    agree(partial(apply, "sqrtm"), x, factor=200)
    agree(lambda x, e: apply("sqrtm_frechet", x[::2], e[::2]), x, e, factor=2e3)


def test_the_square_root_of_zeros():
    assert not np.asarray(adlib.jit(partial(apply, "sqrtm"))(np.zeros((3, 3), complex))[0]).any()


@pytest.mark.parametrize("number", [-1, 1j, -1j, 0, -4 + 1e-9j, 1e200 - 1e200j, 1e-200j])
def test_roots_of_numbers(number):
    root = adlib.jit(partial(apply, "sqrtm"))(np.array([[number]], np.complex128))[0]
    np.testing.assert_allclose(np.asarray(root)[0, 0], np.sqrt(complex(number)), rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 5, 3)])
def test_polar_decompositions(shape, dtype):
    for most in (10, 2):
        f = partial(apply, "qdwh", is_hermitian=False, max_iterations=most, eps=None)
        agree(f, random(shape, dtype), factor=200)
