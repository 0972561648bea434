"""The linalg and fft extensions of the array API standard, and products, against NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

KINDS = ["float32", "float64", "complex64", "complex128"]


@pytest.fixture(autouse=True)
def wide_types():
    with adlib.enable_x64(True):
        yield


def draw(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype[0] == "c" else x).astype(dtype)


def positive(n, dtype, batch=()):
    x = draw((*batch, n, n), dtype)
    return x @ x.conj().swapaxes(-1, -2) + 2 * np.eye(n, dtype=dtype)


def agree(found, wanted):
    wanted = np.asarray(wanted)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype, (found, wanted)
    close = 2e-4 if wanted.dtype in (np.float32, np.complex64) else 1e-9
    np.testing.assert_allclose(found, wanted, rtol=close, atol=close)


def _agree_all(found, wanted):
    assert type(found).__name__ == type(wanted).__name__
    assert found._fields == wanted._fields
    for a, b in zip(found, wanted, strict=True):
        agree(a, b)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("batch", [(), (2,), (2, 0)])
def test_linalg(dtype, batch):
    square, h, wide = (
        draw((*batch, 3, 3), dtype),
        positive(3, dtype, batch),
        draw((*batch, 2, 3), dtype),
    )
    x, y, w = jnp.asarray(square), jnp.asarray(h), jnp.asarray(wide)
    la, ref = jnp.linalg, np.linalg
    for name in ("det", "inv", "matrix_transpose", "diagonal", "trace"):
        agree(getattr(la, name)(x), getattr(ref, name)(square))
    _agree_all(la.slogdet(x), ref.slogdet(square))
    agree(la.cholesky(y), ref.cholesky(h))
    agree(la.cholesky(y, upper=True), ref.cholesky(h, upper=True))
    agree(la.eigvalsh(y), ref.eigvalsh(h))
    values, vectors = la.eigh(y)
    agree(values, ref.eigh(h).eigenvalues)
    agree(y @ vectors, np.asarray(vectors * values[..., None, :]))
    for full in (True, False):
        u, s, vh = la.svd(w, full_matrices=full)
        assert (u.shape, s.shape, vh.shape) == tuple(
            p.shape for p in ref.svd(wide, full_matrices=full)
        )
        agree((u * s[..., None, :]) @ vh[..., :2, :], wide)
    agree(la.svdvals(w), ref.svdvals(wide))
    for mode in ("reduced", "complete"):
        q, r = la.qr(jnp.asarray(wide.swapaxes(-1, -2)), mode=mode)
        assert q.shape[-1] == r.shape[-2] == (2 if mode == "reduced" else 3)
        agree(q @ r, wide.swapaxes(-1, -2))
    agree(la.pinv(w), ref.pinv(wide))
    agree(la.pinv(w, rtol=1e-3), ref.pinv(wide, rtol=1e-3))
    agree(la.matrix_rank(w).astype(int), ref.matrix_rank(wide))
    for n in (0, 1, 3, -2):
        agree(la.matrix_power(x, n), ref.matrix_power(square, n))
    if batch != (2, 0):
        for order in ("fro", "nuc", 1, 2, jnp.inf, -1, -2, -jnp.inf):
            for keepdims in (False, True):
                agree(la.matrix_norm(w, ord=order, keepdims=keepdims),
                      ref.matrix_norm(wide, ord=order, keepdims=keepdims))  # fmt: skip
    for right in (draw((*batch, 3, 2), dtype, 1), draw((3,), dtype, 1)):
        agree(la.solve(x, jnp.asarray(right)), ref.solve(square, right))


@pytest.mark.parametrize("dtype", KINDS)
def test_vectors(dtype):
    a, b = draw((2, 3), dtype), draw((2, 3), dtype, 1)
    x, y = jnp.asarray(a), jnp.asarray(b)
    for axis, keepdims in itertools.product((None, 0, -1, (0, 1)), (False, True)):
        for order in (2, 1, 0, jnp.inf, -jnp.inf, 3.5):
            agree(jnp.linalg.vector_norm(x, axis=axis, ord=order, keepdims=keepdims),
                  np.linalg.vector_norm(a, axis=axis, ord=order, keepdims=keepdims))  # fmt: skip
    for module, ref in ((jnp, np), (jnp.linalg, np.linalg)):
        agree(module.vecdot(x, y), ref.vecdot(a, b))
        agree(module.vecdot(x, y, axis=0), np.vecdot(a.T, b.T))
        agree(module.matmul(x, y.T), a @ b.T)
        agree(module.tensordot(x, y, axes=2), np.tensordot(a, b))
        agree(module.tensordot(x, y, axes=((0,), (0,))), np.tensordot(a, b, axes=((0,), (0,))))
        agree(module.matrix_transpose(x), a.T)
    agree(jnp.linalg.cross(x, y), np.linalg.cross(a, b))
    agree(jnp.linalg.cross(x.T, y.T, axis=0), np.linalg.cross(a.T, b.T, axis=0))
    agree(jnp.linalg.outer(x[0], y[0]), np.linalg.outer(a[0], b[0]))
    for k in (-1, 0, 1):
        agree(jnp.linalg.diagonal(x, offset=k), np.linalg.diagonal(a, offset=k))
        agree(jnp.linalg.trace(x, offset=k), np.linalg.trace(a, offset=k))


def test_shapes_that_do_not_fit():
    for call in (
        lambda: jnp.linalg.inv(jnp.ones((2, 3))),
        lambda: jnp.linalg.det(jnp.ones(3)),
        lambda: jnp.matmul(jnp.ones((2, 3)), jnp.ones((2, 3))),
        lambda: jnp.matmul(jnp.ones(()), jnp.ones((2, 3))),
        lambda: jnp.linalg.cross(jnp.ones(4), jnp.ones(4)),
        lambda: jnp.vecdot(jnp.ones(3), jnp.ones(4)),
    ):
        with pytest.raises((ValueError, TypeError)):
            call()


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_fft_of_one_axis(name, norm):
    real = name in ("rfft", "ihfft")
    x = draw((3, 6), "float64" if real else "complex128")
    for n, axis in itertools.product((None, 4, 9), (-1, 0)):
        options = {"n": n, "axis": axis, "norm": norm}
        agree(
            getattr(jnp.fft, name)(jnp.asarray(x), **options), getattr(np.fft, name)(x, **options)
        )
    narrow = jnp.asarray(x).astype("float32" if real else "complex64")
    wanted = "float32" if name in ("irfft", "hfft") else "complex64"
    assert getattr(jnp.fft, name)(narrow).dtype == wanted


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
def test_fft_of_several_axes(name, norm):
    x = draw((3, 4, 6), "float64" if name == "rfftn" else "complex128")
    for s, axes in ((None, None), (None, (0, 2)), ((2, 5), (0, 1)), ((5,), (-1,))):
        options = {"s": s, "axes": axes, "norm": norm}
        agree(
            getattr(jnp.fft, name)(jnp.asarray(x), **options), getattr(np.fft, name)(x, **options)
        )


@pytest.mark.parametrize("n", [1, 4, 5])
def test_frequencies(n):
    for d in (1.0, 0.5):
        agree(jnp.fft.fftfreq(n, d=d), np.fft.fftfreq(n, d))
        agree(jnp.fft.rfftfreq(n, d=d), np.fft.rfftfreq(n, d))
    assert jnp.fft.fftfreq(n, dtype=jnp.float32).dtype == jnp.float32
    x = draw((n, 4))
    for axes in (None, 0, (0, 1)):
        agree(jnp.fft.fftshift(jnp.asarray(x), axes=axes), np.fft.fftshift(x, axes))
        agree(jnp.fft.ifftshift(jnp.asarray(x), axes=axes), np.fft.ifftshift(x, axes))


INDICES = [
    0, -1, slice(None), slice(1, None), slice(None, None, -1), slice(3, 0, -2), slice(9, 20),
    slice(-9, 2), ..., None, (0, 1), (..., 0), (0, ...), (slice(1), None, ..., -1),
    (None, 1, slice(None, None, 2)), (slice(2, 2), ...), (-1, -1, -1), (..., None), (),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(index):
    x = np.arange(24).reshape(2, 3, 4)
    agree(jnp.asarray(x)[index], x[index])


def test_indexing_by_arrays():
    x = np.arange(12).reshape(3, 4)
    mask = x % 3 == 0
    agree(jnp.asarray(x)[jnp.asarray(mask)], x[mask])
    agree(jnp.asarray(x)[jnp.asarray([True, False, True])], x[[True, False, True]])
    agree(jnp.asarray(x)[jnp.asarray(True)], x[True])
    agree(jnp.asarray(x)[jnp.asarray([2, 0]), jnp.asarray([1, 1])], x[[2, 0], [1, 1]])
    agree(jnp.asarray(x)[jnp.asarray([[2], [0]]), 1], x[[[2], [0]], 1])
    assert jnp.asarray(1.5)[()].shape == () and jnp.asarray(1.5)[None].shape == (1,)
    for wrong in ((0, 0, 0), (..., ...)):
        with pytest.raises(IndexError):
            jnp.asarray(x)[wrong]
