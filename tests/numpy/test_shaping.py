"""Shapes, joining, splitting, repeating, turning and padding, against NumPy."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp

X = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
V = np.array([3.0, 1.0, 2.0, 1.0], np.float32)
M = X[0]


def same(found, wanted):
    if isinstance(wanted, (list, tuple)) and isinstance(wanted[0], np.ndarray):
        for f, w in zip(found, wanted, strict=True):
            same(f, w)
        return
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=2e-6, atol=1e-6)


CASES = [
    ("reshape", (X, (4, -1)), {}), ("reshape", (X, -1), {"order": "F"}),
    ("reshape", (X, (3, 8)), {"order": "F"}), ("ravel", (M,), {}), ("ravel", (M, "F"), {}),
    ("resize", (V, (2, 3)), {}), ("transpose", (X,), {}), ("transpose", (X, (1, 2, 0)), {}),
    ("matrix_transpose", (X,), {}), ("swapaxes", (X, 0, -1), {}), ("moveaxis", (X, 0, -1), {}),
    ("moveaxis", (X, (0, 1), (-1, 0)), {}), ("rollaxis", (X, 2), {}), ("rollaxis", (X, 0, 3), {}),
    ("squeeze", (X[:, :1],), {}), ("squeeze", (X[:1, :, :1], (0, -1)), {}),
    ("expand_dims", (M, (0, -1)), {}), ("broadcast_to", (V, (2, 4)), {}),
    ("atleast_1d", (np.float32(1),), {}), ("atleast_2d", (V,), {}), ("atleast_3d", (V,), {}),
    ("atleast_3d", (M,), {}), ("flip", (X,), {}), ("flip", (X, (0, 2)), {}), ("fliplr", (M,), {}),
    ("flipud", (M,), {}), ("rot90", (M,), {}), ("rot90", (M, 2), {}), ("rot90", (X, 3, (1, 2)), {}),
    ("roll", (M, 2), {}), ("roll", (M, -1, 1), {}), ("roll", (M, (1, 2), (0, 1)), {}),
    ("tile", (V, 2), {}), ("tile", (M, (2, 1, 2)), {}), ("repeat", (M, 2), {}),
    ("repeat", (M, 2), {"axis": 1}), ("repeat", (V, np.array([1, 0, 2, 1])), {}),
    ("split", (X, 2), {"axis": 2}), ("split", (V, [1, 3]), {}), ("split", (V, [3, 1]), {}),
    ("array_split", (V, 3), {}), ("vsplit", (X, 2), {}), ("hsplit", (M, 2), {}),
    ("dsplit", (X, 2), {}), ("diff", (X,), {"n": 2}), ("diff", (M,), {"axis": 0}),
    ("diff", (V,), {"prepend": 0.0, "append": V}), ("trim_zeros", (np.array([0, 1, 2, 0]),), {}),
    ("append", (M, V), {}), ("append", (M, M), {"axis": 0}), ("kron", (V, M), {}),
    ("insert", (V, 1, 5.0), {}), ("insert", (M, 1, V[:3]), {"axis": 1}),
    ("insert", (V, np.array([0, 2]), 5.0), {}), ("insert", (V, 1, V[:2]), {}),
    ("insert", (M, np.array([1]), 7.0), {"axis": 0}), ("delete", (V, 1), {}),
    ("delete", (M, np.array([0, 2])), {"axis": 1}), ("delete", (V, slice(1, 3)), {}),
    ("delete", (V, np.array([True, False, True, False])), {}),
]  # fmt: skip
JOINS = [
    ("concatenate", [M, M], {"axis": 1}), ("concatenate", [M, V], {"axis": None}),
    ("stack", [V, V], {"axis": 1}), ("stack", [M, M], {"axis": -1}), ("vstack", [V, M], {}),
    ("hstack", [V, V], {}), ("hstack", [M, M], {}), ("dstack", [V, V], {}), ("dstack", [M, M], {}),
    ("column_stack", [V[:3], M], {}), ("block", [[M, M], [M, M]], {}),
    ("block", [[V, V], [V, V]], {}), ("broadcast_arrays", [V, np.float32(1)], {}),
]  # fmt: skip


def arrays(value):
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return jnp.array(value)
    return [arrays(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("name", "args", "options"), CASES)
def test_against_numpy(name, args, options):
    found = getattr(jnp, name)(*map(arrays, args), **options)
    same(found, getattr(np, name)(*args, **options))


@pytest.mark.parametrize(("name", "args", "options"), JOINS)
def test_joining(name, args, options):
    if name == "broadcast_arrays":
        same(jnp.broadcast_arrays(*arrays(args)), list(np.broadcast_arrays(*args)))
    else:
        same(getattr(jnp, name)(arrays(args), **options), getattr(np, name)(args, **options))


def test_dtypes_of_joins_are_promoted():
    assert jnp.stack([jnp.arange(2), jnp.ones(2)]).dtype == jnp.float32
    assert jnp.concatenate([jnp.ones(2), jnp.arange(2)], dtype=int).dtype == jnp.int32
    assert jnp.stack([1, 2]).weak_type


def test_repeat_and_roll_with_traced_counts():
    counts = jnp.array([1, 0, 2, 1])
    repeat = adlib.jit(lambda x, n: jnp.repeat(x, n, total_repeat_length=4))
    same(repeat(jnp.array(V), counts), np.repeat(V, counts))
    longer = jnp.repeat(jnp.array(V), counts, total_repeat_length=6)
    same(longer, [3, 2, 2, 1, 1, 1])
    for shift in (-5, 0, 1, 9):
        same(adlib.jit(jnp.roll)(jnp.array(M), shift), np.roll(M, shift))


PAD_MODES = [
    ("constant", {}), ("constant", {"constant_values": 7}),
    ("constant", {"constant_values": ((1, 2), (3, 4))}), ("edge", {}), ("linear_ramp", {}),
    ("linear_ramp", {"end_values": ((1, 2), (3, 4))}), ("maximum", {}), ("minimum", {}),
    ("mean", {}), ("median", {}), ("mean", {"stat_length": 2}), ("reflect", {}),
    ("reflect", {"reflect_type": "odd"}), ("symmetric", {}), ("symmetric", {"reflect_type": "odd"}),
    ("wrap", {}),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "options"), PAD_MODES)
@pytest.mark.parametrize("width", [1, (2, 1), ((1, 0), (0, 3)), ((5, 9), (8, 7))])
def test_pad(mode, options, width):
    same(jnp.pad(jnp.array(M), width, mode, **options), np.pad(M, width, mode, **options))


def test_pad_with_a_function():
    def fill(row, widths, axis, kwargs):
        return row.at[: widths[0]].set(9.0)

    same(jnp.pad(jnp.array(V), (2, 0), fill), [9, 9, 3, 1, 2, 1])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: jnp.reshape(jnp.ones(3), (2, 2)), TypeError, "cannot reshape array of shape"),
        (lambda: jnp.reshape(jnp.ones(3), (-1, 2)), TypeError, "does not evenly divide 3"),
        (lambda: jnp.reshape(jnp.ones(4), (-1, -1)), TypeError, "only specify one unknown axis"),
        (lambda: jnp.concatenate([]), ValueError, "Need at least one array to concatenate"),
        (lambda: jnp.concatenate([jnp.ones(()), 1.0]), ValueError, "Zero-dimensional arrays"),
        (lambda: jnp.concatenate([M, V]), TypeError, "different numbers of dimensions"),
        (lambda: jnp.stack([V, V[:2]]), ValueError, "All input arrays must have the same shape"),
        (lambda: jnp.stack([[1], [2]]), TypeError, "stack requires ndarray or scalar arguments"),
        (lambda: jnp.vstack([(1, 2), (3, 4)]), TypeError, "got <class 'tuple'> at position 0"),
        (lambda: jnp.split(jnp.ones(3), 2), ValueError, "equal division: rest is 1"),
        (lambda: jnp.swapaxes(jnp.ones(3), 0, 1), IndexError, "axis 1 is out of bounds"),
        (lambda: jnp.expand_dims(jnp.ones(3), 5), ValueError, "axis 5 is out of bounds"),
        (lambda: jnp.squeeze(jnp.ones(3), 0), ValueError, "size not equal to one"),
        (lambda: jnp.broadcast_to(jnp.ones(3), (2, 2)), ValueError, "Incompatible shapes"),
        (lambda: jnp.pad(V, 1, "bad"), NotImplementedError, "Unimplemented padding mode 'bad'"),
        (lambda: jnp.pad(V, -1), ValueError, "can't contain negative values"),
        (lambda: jnp.pad(V, 1.5), TypeError, "must be of integral type"),
        (lambda: jnp.ones(3).mT, ValueError, "at least two-dimensional"),
        (lambda: jnp.repeat(V, jnp.array([1, 2])), ValueError, "one entry for each of the 4"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_traced_sizes_explain_themselves():
    with pytest.raises(adlib.errors.ConcretizationTypeError, match="repeats of jnp.repeat decides"):
        adlib.jit(lambda x, n: jnp.repeat(x, n))(V, jnp.array([1, 2, 3, 4]))
