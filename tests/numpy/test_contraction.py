"""Products that sum, against NumPy."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

rng = np.random.default_rng(1)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def complex_normal(*shape):
    return (normal(*shape) + 1j * normal(*shape)).astype(np.complex64)


def same(found, wanted):
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=2e-5, atol=2e-5)


PRODUCTS = [
    ("dot", (3,), (3,)), ("dot", (2, 3), (3,)), ("dot", (2, 3), (3, 4)), ("dot", (), (2, 3)),
    ("dot", (2, 5, 3), (4, 3, 2)), ("dot", (3,), (2, 3, 4)), ("inner", (2, 3), (4, 3)),
    ("inner", (3,), (2, 3)), ("inner", (), (3,)), ("outer", (2, 3), (4,)), ("vdot", (2, 3), (2, 3)),
    ("matmul", (3,), (3,)), ("matmul", (2, 3), (3,)), ("matmul", (3,), (3, 2)),
    ("matmul", (2, 4, 3), (3, 5)), ("matmul", (2, 4, 3), (2, 3, 5)), ("matmul", (4, 3), (2, 3, 5)),
    ("matmul", (2, 1, 4, 3), (5, 3, 6)), ("matmul", (1, 4, 3), (5, 3, 6)),
    ("matmul", (3,), (2, 3, 5)), ("matmul", (2, 4, 3), (3,)), ("matmul", (2, 4, 3), (1, 3, 5)),
    ("matmul", (1, 7, 4, 3), (2, 1, 3, 5)), ("kron", (2, 3), (4,)), ("kron", (2, 3), (3, 2)),
    ("kron", (2,), (3, 2, 2)),
]  # fmt: skip


@pytest.mark.parametrize("make", [normal, complex_normal])
@pytest.mark.parametrize(("name", "left", "right"), PRODUCTS)
def test_products(name, left, right, make):
    x, y = make(*left), make(*right)
    same(getattr(jnp, name)(jnp.array(x), jnp.array(y)), getattr(np, name)(x, y))


@pytest.mark.parametrize(("left", "right"), [((3,), (3,)), ((2, 3), (3,)), ((4, 1, 3), (2, 3))])
def test_products_of_vectors(left, right):
    x, y = complex_normal(*left), complex_normal(*right)
    same(jnp.vecdot(x, y), np.einsum("...i,...i->...", x.conj(), y))
    m = complex_normal(5, 3)
    same(jnp.matvec(m, y), np.einsum("ij,...j->...i", m, y))
    same(jnp.vecmat(y, m.T), np.einsum("...j,ji->...i", y.conj(), m.T))


@pytest.mark.parametrize("axes", [0, 1, 2, ((0,), (1,)), ((2, 0), (0, 1)), (1, 0), ((-1,), (0,))])
def test_tensordot(axes):
    x, y = normal(3, 3, 3), normal(3, 3, 3)
    same(jnp.tensordot(x, y, axes), np.tensordot(x, y, axes))


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 3), (3, 2), (2, 2)])
def test_cross(n, m):
    x, y = normal(4, n), normal(4, m)
    full = [np.pad(v, ((0, 0), (0, 3 - v.shape[1]))) for v in (x, y)]
    wanted = np.cross(*full)
    same(jnp.cross(x, y), wanted[:, 2] if (n, m) == (2, 2) else wanted)
    if n == m == 3:
        same(jnp.cross(x.T, y.T, axis=0), np.cross(x.T, y.T, axis=0))


@pytest.mark.parametrize("offset", [-1, 0, 2])
def test_trace(offset):
    x = normal(3, 4, 5)
    same(jnp.trace(x, offset, 2, 0), np.trace(x, offset, 2, 0))
    assert jnp.trace(jnp.eye(3, dtype=bool)) == 3


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij,ij->", (2, 3), (2, 3)),
    ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("iij->j", (3, 3, 2)),
    ("iii->i", (3, 3, 3)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bij,bjk->ibk", (2, 3, 4), (2, 4, 5)), ("i,j->ij", (2,), (3,)),
    ("...ij,...jk->...ik", (2, 3, 4), (4, 5)), ("...i->...", (2, 3)), ("i...->...", (2, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("i,i,i->", (3,), (3,), (3,)),
    ("ij,ik->jk", (1, 3), (4, 2)), ("abc,cd,bd->ad", (2, 3, 4), (4, 5), (3, 5)),
    ("...,...->...", (2, 1), (3,)), ("ij,kl->", (2, 3), (4, 5)), ("ba,b", (3, 2), (3,)),
]  # fmt: skip


@pytest.mark.parametrize("case", EINSUMS, ids=lambda c: c[0])
def test_einsum(case):
    notation, *shapes = case
    arrays = [complex_normal(*s) for s in shapes]
    same(jnp.einsum(notation, *arrays), np.einsum(notation, *arrays))
    for optimize in (False, "optimal", "greedy"):
        same(jnp.einsum(notation, *arrays, optimize=optimize), np.einsum(notation, *arrays))


def test_einsum_with_lists_of_ints():
    x, y = normal(2, 3), normal(3, 4)
    same(jnp.einsum(x, [0, 1], y, [1, 2], [2, 0]), np.einsum(x, [0, 1], y, [1, 2], [2, 0]))
    same(jnp.einsum(x, [0, 1], y, [1, 2]), x @ y)
    assert len(jnp.einsum_path("ij,jk,kl", x, y, y.T)[0]) == 2


def test_einsum_keeps_integers():
    x = jnp.arange(4).reshape(2, 2)
    assert jnp.einsum("ij,jk", x, x).dtype == jnp.int32


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: jnp.dot([1], 2), TypeError, "dot requires ndarray or scalar arguments"),
        (lambda: jnp.dot(jnp.ones(3), jnp.ones(4)), TypeError, "must have the same size"),
        (lambda: jnp.ones(3) @ 2, ValueError, "must have ndim at least 1"),
        (lambda: jnp.ones((2, 3)) @ jnp.ones((2, 3)), TypeError, "axis 1 of shape"),
        (lambda: jnp.ones((2, 3, 4)) @ jnp.ones((3, 4, 5)), ValueError, "Incompatible shapes"),
        (lambda: jnp.tensordot(jnp.ones(2), jnp.ones(2), 2), TypeError, "exceeds input ranks"),
        (lambda: jnp.cross(jnp.ones(4), jnp.ones(4)), ValueError, "must be either 2 or 3"),
        (lambda: jnp.einsum("ij,jk", jnp.ones((2, 3)), jnp.ones((2, 3))), ValueError,
         "Size of label 'j' for operand 1"),
        (lambda: jnp.einsum("ij->k", jnp.ones((2, 3))), ValueError, "did not appear in the input"),
        (lambda: jnp.einsum("ij", jnp.ones(3)), ValueError, "does not fit its indices 'ij'"),
        (lambda: jnp.einsum("i,i", jnp.ones(3)), ValueError, "names 2 operands, but 1"),
        (lambda: jnp.einsum("i?", jnp.ones(3)), ValueError, "is no index"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_products_under_transformations():
    x, y = jnp.array(normal(2, 3)), jnp.array(normal(3, 4))
    same(adlib.grad(lambda x: (x @ y).sum())(x), np.ones((2, 4)) @ np.asarray(y).T)
    same(adlib.vmap(jnp.dot, (0, None))(x, y), x @ y)
    same(adlib.jit(lambda x: jnp.einsum("ij,kj->ik", x, x))(x), x @ x.T)
