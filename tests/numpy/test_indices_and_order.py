"""Taking, putting, choosing, sorting, searching and sets, against NumPy."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

V = np.array([3.0, 1.0, 2.0, 1.0, np.nan, -4.0], np.float32)
M = np.array([[3, 1, 2, 1], [0, 5, 5, -2], [3, 1, 2, 1]], np.int32)
I = np.array([[0, 2], [1, -1]])  # noqa: E741


def same(found, wanted):
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=2e-6)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take(axis):
    same(jnp.take(jnp.array(M), jnp.array(I), axis), np.take(M, I, axis))
    for mode in ("wrap", "clip"):
        i = np.array([-9, -1, 0, 7])
        same(jnp.take(jnp.array(M), jnp.array(i), axis, mode=mode), np.take(M, i, axis, mode=mode))


def test_take_out_of_bounds():
    x = jnp.arange(3.0)
    assert jnp.isnan(jnp.take(x, 5)) and jnp.take(x, 5, fill_value=7.0) == 7
    assert jnp.take(jnp.arange(3), 5) == np.iinfo(np.int32).min
    with pytest.raises(ValueError, match="integer type"):
        jnp.take(x, 1.0)


def test_take_and_put_along_axis():
    for axis in (0, 1, -1):
        order = np.argsort(M, axis=axis, kind="stable")
        same(jnp.argsort(jnp.array(M), axis), order)
        taken = jnp.take_along_axis(jnp.array(M), jnp.array(order), axis)
        same(taken, np.take_along_axis(M, order, axis))
        wanted = M.copy()
        np.put_along_axis(wanted, order[:1] if axis == 0 else order[:, :1], 9, axis)
        first = order[:1] if axis == 0 else order[:, :1]
        same(jnp.put_along_axis(jnp.array(M), first, 9, axis, inplace=False), wanted)
    same(jnp.take_along_axis(jnp.array(M), jnp.array([[1]]), 1), M[:, 1:2])


def test_put_place_extract_compress():
    same(jnp.put(jnp.array(M), jnp.array([0, -1]), jnp.array([7, 8]), inplace=False)[0, 0], 7)
    wanted = M.copy()
    np.place(wanted, M > 1, [7, 8])
    same(jnp.place(jnp.array(M), M > 1, jnp.array([7, 8]), inplace=False), wanted)
    same(jnp.extract(jnp.array(M) > 1, jnp.array(M)), np.extract(M > 1, M))
    for axis in (None, 0, 1):
        condition = [True, False, True]
        same(
            jnp.compress(jnp.array(condition), jnp.array(M), axis), np.compress(condition, M, axis)
        )
    assert jnp.extract(M > 2, jnp.array(M), size=6, fill_value=-1).tolist()[-1] == -1
    for name in ("put", "place", "put_along_axis", "fill_diagonal"):
        args = {"put": (0, 1.0), "place": (M > 1, 1), "put_along_axis": (I, 1, 0)}.get(name, (1,))
        error = NotImplementedError if name == "fill_diagonal" else ValueError
        with pytest.raises(error, match="immutable.*inplace=False"):
            getattr(jnp, name)(jnp.array(M), *args)


def test_nonzero_with_and_without_a_size():
    for mine, numpys in zip(jnp.nonzero(jnp.array(M)), np.nonzero(M), strict=True):
        same(mine, numpys)
    same(jnp.argwhere(jnp.array(M) > 2), np.argwhere(M > 2))
    same(jnp.flatnonzero(jnp.array(M)), np.flatnonzero(M))
    rows, columns = adlib.jit(lambda x: jnp.nonzero(x > 2, size=6, fill_value=-1))(jnp.array(M))
    assert rows.tolist() == [0, 1, 1, 2, -1, -1] and columns.tolist() == [0, 1, 2, 0, -1, -1]
    with pytest.raises(adlib.errors.ConcretizationTypeError, match="jnp.nonzero or jnp.where"):
        adlib.jit(jnp.nonzero)(jnp.array(M))
    with pytest.raises(ValueError, match="0d arrays is not allowed"):
        jnp.nonzero(jnp.array(1))


def test_multi_indices():
    flat = np.array([5, 0, 11])
    for mine, numpys in zip(
        jnp.unravel_index(flat, (3, 4)), np.unravel_index(flat, (3, 4)), strict=True
    ):
        same(mine, numpys)
    index = (np.array([0, 2]), np.array([3, 1]))
    for order in ("C", "F"):
        same(
            jnp.ravel_multi_index(index, (3, 4), order=order),
            np.ravel_multi_index(index, (3, 4), order=order),
        )
    with pytest.raises(ValueError, match="invalid entry in coordinates array"):
        jnp.ravel_multi_index((np.array([5]), np.array([0])), (3, 4))
    same(
        jnp.array(M)[jnp.ix_(jnp.array([0, 2]), jnp.array([True, False, True, False]))],
        M[np.ix_([0, 2], [0, 2])],
    )


def test_where_select_choose_piecewise_clip():
    x = np.linspace(-2, 2, 9, dtype=np.float32)
    a = jnp.array(x)
    same(jnp.where(a > 0, a, -1.0), np.where(x > 0, x, -1))
    same(jnp.where(a[:, None] > 0, a, 2 * a), np.where(x[:, None] > 0, x, 2 * x))
    same(jnp.select([a < -1, a < 1], [a, 10 * a], 7), np.select([x < -1, x < 1], [x, 10 * x], 7))
    pieces = [lambda v: v**2, 3.0, lambda v: -v]
    same(jnp.piecewise(a, [a < 0, a > 1], pieces), np.piecewise(x, [x < 0, x > 1], pieces))
    choices = [np.arange(3), 10 * np.arange(3), np.full(3, 7)]
    for mode in ("raise", "wrap", "clip"):
        i = np.array([2, 0, 1]) if mode == "raise" else np.array([-4, 5, 1])
        same(jnp.choose(jnp.array(i), choices, mode=mode), np.choose(i, choices, mode=mode))
    same(jnp.clip(a, -1, 1), np.clip(x, -1, 1))
    same(jnp.clip(a, min=0), np.clip(x, 0, None))
    with pytest.raises(ValueError, match="Complex values have no ordering"):
        jnp.clip(1j, 0, 1)
    with pytest.raises(TypeError, match="where requires ndarray .* at position 2"):
        jnp.where(True, 1.0)
    with pytest.raises(ValueError, match="invalid entry in choice array"):
        jnp.choose(jnp.array([5]), choices)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_sorting(axis):
    same(jnp.sort(jnp.array(M), axis), np.sort(M, axis, kind="stable"))
    wanted = np.flip(np.sort(M, axis), axis)
    same(jnp.sort(jnp.array(M), axis, descending=True), wanted)
    order = jnp.argsort(jnp.array(M), axis, descending=True)
    flat = jnp.array(M).ravel()[order] if axis is None else jnp.take_along_axis(M, order, axis)
    same(flat, wanted)


def test_orders():
    same(jnp.sort(jnp.array(V)), np.sort(V))
    same(jnp.argsort(jnp.array(V)), np.argsort(V, kind="stable"))
    same(jnp.lexsort((jnp.array(M[0]), jnp.array(M[1]))), np.lexsort((M[0], M[1])))
    same(jnp.partition(jnp.array(V), 2)[2], np.partition(V, 2)[2])
    same(jnp.sort_complex(jnp.array([2 + 1j, 1, 2 - 1j])), [1, 2 - 1j, 2 + 1j])
    with pytest.raises(TypeError, match="'kind' argument to sort is not supported"):
        jnp.sort(V, kind="quicksort")
    with pytest.raises(ValueError, match="out of bounds"):
        jnp.partition(V, 9)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searching(side):
    edges = np.array([-1.0, 0.0, 0.0, 2.0, 5.0], np.float32)
    x = np.array([[-3.0, -1.0, 0.0], [0.1, 5.0, np.nan]], np.float32)
    same(jnp.searchsorted(jnp.array(edges), jnp.array(x), side), np.searchsorted(edges, x, side))
    right = side == "right"
    finite = x[:, :2]
    for e in (edges, edges[::-1].copy()):
        same(jnp.digitize(jnp.array(finite), jnp.array(e), right), np.digitize(finite, e, right))
    shuffled = edges[::-1].copy()
    same(
        jnp.searchsorted(shuffled, x[:, :2], side, sorter=np.argsort(shuffled)),
        np.searchsorted(edges, x[:, :2], side),
    )


def test_bincount():
    x, w = np.array([0, 2, 2, 5]), np.array([0.5, 1.0, 1.5, 2.0], np.float32)
    same(jnp.bincount(jnp.array(x)), np.bincount(x))
    same(jnp.bincount(jnp.array(x), jnp.array(w), 8), np.bincount(x, w, 8))
    assert adlib.jit(lambda x: jnp.bincount(x, length=3))(jnp.array(x)).tolist() == [1, 0, 2]
    with pytest.raises(TypeError, match="must have an integer type; got float32"):
        jnp.bincount(w)


def test_unique():
    options = {"return_index": True, "return_inverse": True, "return_counts": True}
    for x in (M, V):
        for mine, numpys in zip(
            jnp.unique(jnp.array(x), **options), np.unique(x, **options), strict=True
        ):
            same(mine, numpys)
    for axis in (0, 1):
        mine = jnp.unique(jnp.array(M), axis=axis, **options)
        for a, b in zip(mine, np.unique(M, axis=axis, **options), strict=True):
            same(a, np.squeeze(b))
    sized = adlib.jit(lambda x: jnp.unique(x, size=7, fill_value=99))(jnp.array(M))
    assert sized.tolist() == [-2, 0, 1, 2, 3, 5, 99]
    assert jnp.unique(jnp.array(V), size=2).shape == (2,)
    assert jnp.unique_values(jnp.array([jnp.nan, jnp.nan])).shape == (2,)
    assert jnp.unique_all(jnp.array([3, 1, 3])).inverse_indices.tolist() == [1, 0, 1]


def test_set_operations():
    x, y = np.array([5, 1, 2, 2, 8]), np.array([2, 3, 5, 5])
    for name in ("union1d", "intersect1d", "setdiff1d", "setxor1d", "isin"):
        same(getattr(jnp, name)(jnp.array(x), jnp.array(y)), getattr(np, name)(x, y))
    mine = jnp.intersect1d(jnp.array(x), jnp.array(y), return_indices=True)
    for a, b in zip(mine, np.intersect1d(x, y, return_indices=True), strict=True):
        same(a, b)
    assert jnp.isin(jnp.array(x), jnp.array([], int)).tolist() == [False] * 5
    assert jnp.union1d(jnp.array(x), jnp.array(y), size=8, fill_value=0).tolist()[-2:] == [0, 0]
    assert jnp.setdiff1d(jnp.array(x), jnp.array(y), size=3, fill_value=-1).tolist() == [1, 8, -1]


def test_bits_in_bytes():
    bits = np.random.default_rng(0).random((3, 11)) > 0.5
    for order in ("big", "little"):
        for axis in (None, 0, 1):
            packed = np.packbits(bits, axis, order)
            same(jnp.packbits(jnp.array(bits), axis, order), packed)
            same(
                jnp.unpackbits(jnp.array(packed), axis, bitorder=order),
                np.unpackbits(packed, axis, bitorder=order),
            )


def test_files_and_text(tmp_path):
    x = jnp.arange(3.0)
    jnp.save(tmp_path / "x.npy", x)
    assert jnp.array_equal(jnp.load(tmp_path / "x.npy"), x)
    jnp.savez(tmp_path / "x.npz", a=x)
    assert jnp.load(tmp_path / "x.npz")["a"].tolist() == [0, 1, 2]
    (tmp_path / "x.bin").write_bytes(np.arange(3, dtype=np.int16).tobytes())
    assert jnp.fromfile(tmp_path / "x.bin", "int16").tolist() == [0, 1, 2]
    with jnp.printoptions(precision=2):
        assert repr(jnp.array([1 / 3])) == "Array([0.33], dtype=float32)"
    assert jnp.array_repr(x) == repr(x) and jnp.array_str(x) == str(x)


def test_dtypes_of_indices_can_be_chosen():
    assert jnp.argsort(jnp.array(V), dtype="int8").dtype == jnp.int8
    place = jnp.ravel_multi_index((jnp.array(1), jnp.array(1)), (2, 3), dtype="uint8")
    assert place == 4 and place.dtype == jnp.uint8


def test_negative_indices_need_not_wrap():
    x = jnp.arange(3.0)
    assert jnp.take_along_axis(x, jnp.array([-1]), 0) == 2
    assert jnp.isnan(jnp.take_along_axis(x, jnp.array([-1]), 0, wrap_negative_indices=False))


def test_trim_zeros_of_matrices():
    x = np.zeros((4, 5), int)
    x[1:3, 2:4] = 1
    assert jnp.trim_zeros(jnp.array(x)).shape == (2, 2)
    assert jnp.trim_zeros(jnp.array(x), "f", 1).shape == (4, 3)
    assert jnp.trim_zeros(jnp.zeros(3)).shape == (0,)


def test_set_operations_of_traced_arrays():
    """With a size they need no values."""
    a, b = np.array([3, 1, 3, 0]), np.array([0, 2, 3, 3])
    for name, size in (("intersect1d", 2), ("setdiff1d", 1), ("setxor1d", 2), ("union1d", 4)):
        f = getattr(jnp, name)
        np.testing.assert_array_equal(
            adlib.jit(lambda a, b: f(a, b, size=size))(a, b),  # noqa: B023
            getattr(np, name)(a, b),
        )
        padded = adlib.jit(lambda a, b: f(a, b, size=size + 2, fill_value=9))(a, b)  # noqa: B023
        np.testing.assert_array_equal(padded, [*getattr(np, name)(a, b), 9, 9])
    found, first, second = adlib.jit(
        lambda a, b: jnp.intersect1d(a, b, return_indices=True, size=2)
    )(a, b)
    for x, y in zip((found, first, second), np.intersect1d(a, b, return_indices=True), strict=True):
        np.testing.assert_array_equal(x, y)
