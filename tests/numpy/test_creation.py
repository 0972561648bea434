"""Arrays from values, filled arrays, ranges, grids and matrices."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp


def same(found, wanted, rtol=2e-6):
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=rtol, atol=1e-6)
    assert found.shape == np.shape(wanted)


@pytest.mark.parametrize(
    ("value", "dtype", "weak"),
    [
        (1, "int32", True), (1.5, "float32", True), (1j, "complex64", True), (True, "bool", False),
        ([1, 2], "int32", False), ([1, 2.5], "float32", False), ([True, 2], "int32", False),
        ([1, 2j], "complex64", False), ([], "float32", False), ([[1], [2]], "int32", False),
        (np.float64(1), "float32", False), (np.arange(3), "int32", False),
        (np.ones(2, np.float16), "float16", False), ((1.0, 2), "float32", False),
        (range(3), "int32", False), (memoryview(b"ab"), "uint8", False),
        ([np.float16(1), 2], "float16", False), ([np.ones(2), np.ones(2)], "float32", False),
    ],
)  # fmt: skip
def test_array_dtypes(value, dtype, weak):
    x = jnp.array(value)
    assert (x.dtype.name, x.weak_type) == (dtype, weak)
    np.testing.assert_array_equal(np.asarray(x, dtype=complex), np.asarray(value, dtype=complex))


def test_array_of_arrays_is_traced_through():
    def f(x):
        return jnp.array([[x, 2 * x], [1.0, x**2]])

    same(f(3.0), [[3, 6], [1, 9]])
    same(adlib.jacfwd(f)(3.0), [[1, 2], [0, 6]])
    same(adlib.vmap(f)(jnp.arange(2.0))[1], [[1, 2], [1, 1]])


def test_array_copies_what_others_may_change():
    n = np.zeros(2)
    x, y = jnp.array(n), jnp.asarray(n.astype(np.float32))
    n[0] = 1.0
    assert x[0] == 0 and y[0] == 0
    assert jnp.asarray(x) is x and jnp.array(x) is not x
    view = np.asarray(x)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (None, ValueError, "None is not a valid value for jnp.array"),
        ([1, None], ValueError, "None is not a valid value"),
        ("text", TypeError, "Only arrays of numeric types are supported"),
        ([1, "a"], TypeError, "Only arrays of numeric types are supported"),
        ([[1, 2], [3]], ValueError, "inhomogeneous shape"),
        (object(), TypeError, "dtype object"),
        (2**40, OverflowError, "too large to convert to int32"),
        ([2**40], OverflowError, "out of bounds for int32"),
    ],
)
def test_what_is_no_array(value, error, text):
    with pytest.raises(error, match=text):
        jnp.array(value)


def test_explicit_64_bits_warn_where_they_are_not_in_use():
    with pytest.warns(UserWarning, match="Explicitly requested dtype float64"):
        assert jnp.zeros(2, "float64").dtype == jnp.float32
    assert jnp.zeros(2, float).dtype == jnp.float32
    with adlib.enable_x64(True):
        assert jnp.zeros(2, "float64").dtype == np.float64


def test_filled_arrays():
    same(jnp.zeros((2, 3)), np.zeros((2, 3)))
    same(jnp.ones(3, int), np.ones(3))
    assert jnp.full((2,), 3).weak_type and not jnp.full((2,), 3.0, float).weak_type
    same(jnp.full((2, 2), jnp.arange(2)), [[0, 1], [0, 1]])
    assert jnp.zeros_like(jnp.arange(2), shape=(3,)).shape == (3,)
    assert jnp.full_like(jnp.arange(2), 2.7).tolist() == [2, 2]
    assert jnp.ones_like(2.0).weak_type
    assert jnp.empty((2, 0)).shape == (2, 0)


@pytest.mark.parametrize("shape", [2.0, "a", (2, "a"), np.ones(2)])
def test_shapes_are_integers(shape):
    with pytest.raises(TypeError, match="Shapes must be 1D sequences of concrete values"):
        jnp.zeros(shape)


def test_a_traced_shape_explains_itself():
    with pytest.raises(TypeError, match="static argument"):
        adlib.jit(lambda n: jnp.zeros(n))(3)
    with pytest.raises(adlib.errors.ConcretizationTypeError, match="'stop' decides on the shape"):
        adlib.jit(jnp.arange)(3)


@pytest.mark.parametrize("args", [(4,), (1, 5), (5, 0, -2), (0, 1, 0.1), (2.5,), (1, 2, 0.5), (0,)])
def test_arange(args):
    same(jnp.arange(*args), np.arange(*args))


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("num", [0, 1, 2, 5])
def test_linspace(num, endpoint):
    same(jnp.linspace(-1, 3, num, endpoint), np.linspace(-1, 3, num, endpoint))
    a, b = np.array([0.0, 1.0]), np.array([2.0, -1.0])
    for axis in (0, 1, -1):
        mine = jnp.linspace(jnp.array(a), jnp.array(b), num, endpoint, axis=axis)
        same(mine, np.linspace(a, b, num, endpoint, axis=axis))


def test_linspace_options():
    x, step = jnp.linspace(0, 1, 5, retstep=True)
    assert step == 0.25
    assert jnp.linspace(0, 10, 4, dtype=int).tolist() == [0, 3, 6, 10]
    same(jnp.linspace(0, 2j, 3), [0, 1j, 2j])
    same(jnp.logspace(0, 2, 3, base=2), [1, 2, 4])
    same(jnp.geomspace(1, 1000, 4), [1, 10, 100, 1000])
    same(jnp.geomspace(-1, -100, 3), [-1, -10, -100])
    with pytest.raises(ValueError, match="Number of samples, -1, must be non-negative"):
        jnp.linspace(0, 1, -1)


@pytest.mark.parametrize("k", [-2, 0, 1])
def test_matrices(k):
    v, m = np.arange(1.0, 4), np.arange(12.0).reshape(3, 4)
    same(jnp.eye(3, 4, k), np.eye(3, 4, k))
    same(adlib.jit(lambda: jnp.eye(3, 4, k))(), np.eye(3, 4, k))
    same(jnp.tri(3, 4, k), np.tri(3, 4, k))
    for name in ("tril", "triu", "diag", "diagonal"):
        same(getattr(jnp, name)(jnp.array(m), k), getattr(np, name)(m, k))
    same(jnp.diag(jnp.array(v), k), np.diag(v, k))
    same(jnp.diagflat(jnp.array(m), k), np.diagflat(m, k))
    for name in ("tril_indices", "triu_indices"):
        for mine, numpys in zip(
            getattr(jnp, name)(3, k, 4), getattr(np, name)(3, k, 4), strict=True
        ):
            same(mine, numpys)
    stack = np.arange(24.0).reshape(2, 3, 4)
    same(jnp.diagonal(jnp.array(stack), k, 2, 0), np.diagonal(stack, k, 2, 0))


def test_grids():
    x, y = np.arange(3.0), np.arange(2)
    for indexing in ("xy", "ij"):
        for sparse in (False, True):
            mine = jnp.meshgrid(jnp.array(x), jnp.array(y), sparse=sparse, indexing=indexing)
            for a, b in zip(mine, np.meshgrid(x, y, sparse=sparse, indexing=indexing), strict=True):
                same(a, b)
    same(jnp.mgrid[0:3, 0:1:3j], np.mgrid[0:3, 0:1:3j])
    for a, b in zip(jnp.ogrid[0:3, 1:2], np.ogrid[0:3, 1:2], strict=True):
        same(a, b)
    same(jnp.indices((2, 3)), np.indices((2, 3)))
    same(jnp.r_[1:4, 0, jnp.array([7.0])], [1, 2, 3, 0, 7])
    same(jnp.r_["0,2", jnp.arange(2), jnp.arange(2)], np.r_["0,2", np.arange(2), np.arange(2)])
    same(jnp.c_[jnp.arange(2), jnp.arange(2)], [[0, 0], [1, 1]])
    same(jnp.vander(jnp.array([1, 2, 3]), 3, True), np.vander([1, 2, 3], 3, True))
    same(jnp.fromfunction(lambda i, j: i * j, (2, 3)), [[0, 0, 0], [0, 1, 2]])


def test_other_sources():
    assert jnp.frombuffer(b"\x01\x02", dtype="uint8").tolist() == [1, 2]
    assert jnp.fromstring("1 2", dtype=int, sep=" ").tolist() == [1, 2]
    assert jnp.fromiter(iter([1, 2]), dtype=int).tolist() == [1, 2]
    same(jnp.from_dlpack(np.ones(2, np.float32)), [1, 1])
    same(np.from_dlpack(jnp.ones(2)), [1, 1])


def test_scalar_types():
    assert jnp.float32(3).dtype == jnp.float32 and not jnp.float32(3).weak_type
    assert np.dtype(jnp.float32) == np.float32 == jnp.float32
    assert jnp.bfloat16(1.5).dtype == jnp.bfloat16 and jnp.int32(2.7) == 2
    assert isinstance(np.float32(1), jnp.float32)
    assert {jnp.int32: 1}[jnp.int32] == 1 and jnp.bool is jnp.bool_
    assert jnp.issubdtype(jnp.bfloat16, jnp.floating) and not jnp.issubdtype(int, jnp.floating)
    assert jnp.result_type(jnp.int32, 1.0) == jnp.float32
    assert jnp.promote_types("float64", "int32") == np.float64
    assert jnp.finfo(jnp.bfloat16).bits == 16 and jnp.iinfo("uint8").max == 255
    assert jnp.isdtype(jnp.float32, ("integral", "real floating"))
    with pytest.raises(OverflowError, match="out of bounds for int8"):
        jnp.int8(300)
    with pytest.raises(TypeError, match="is not a dtype"):
        jnp.zeros(2, "float33")


def test_astype():
    x = jnp.array([1.7, -1.7, 0.0])
    assert x.astype(int).tolist() == [1, -1, 0]
    assert x.astype(bool).tolist() == [True, True, False]
    with pytest.warns(np.exceptions.ComplexWarning, match="imaginary part"):
        assert (x + 1j).astype(float).dtype == jnp.float32
    assert x.astype(None) is x


def test_warnings_point_at_the_users_line():
    with pytest.warns(UserWarning) as seen:
        jnp.zeros(2, "float64")
    assert seen[0].filename == __file__
