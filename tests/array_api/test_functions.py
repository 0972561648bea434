"""The functions of the array API standard against NumPy, which conforms to it, on drawn arrays."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import adlib
import adlib.numpy as jnp

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS, COMPLEX = ["float32", "float64"], ["complex64", "complex128"]
NUMBERS, EVERY = INTEGERS + FLOATS + COMPLEX, ["bool", *INTEGERS, *FLOATS, *COMPLEX]
REAL = INTEGERS + FLOATS

ONE = {
    "abs": NUMBERS, "acos": FLOATS + COMPLEX, "acosh": FLOATS, "asin": FLOATS + COMPLEX,
    "asinh": FLOATS + COMPLEX, "atan": FLOATS + COMPLEX, "atanh": FLOATS,
    "bitwise_invert": ["bool", *INTEGERS], "ceil": REAL, "conj": NUMBERS, "cos": FLOATS + COMPLEX,
    "cosh": FLOATS + COMPLEX, "exp": FLOATS + COMPLEX, "expm1": FLOATS + COMPLEX, "floor": REAL,
    "imag": COMPLEX, "isfinite": NUMBERS, "isinf": NUMBERS, "isnan": NUMBERS,
    "log": FLOATS + COMPLEX, "log10": FLOATS + COMPLEX, "log1p": FLOATS + COMPLEX,
    "log2": FLOATS + COMPLEX, "logical_not": ["bool"], "negative": NUMBERS, "positive": NUMBERS,
    "real": NUMBERS, "reciprocal": FLOATS + COMPLEX, "round": NUMBERS, "sign": NUMBERS,
    "signbit": FLOATS, "sin": FLOATS + COMPLEX, "sinh": FLOATS + COMPLEX, "square": NUMBERS,
    "sqrt": FLOATS + COMPLEX, "tan": FLOATS + COMPLEX, "tanh": FLOATS + COMPLEX, "trunc": REAL,
}  # fmt: skip
TWO = {
    "add": NUMBERS, "atan2": FLOATS, "bitwise_and": ["bool", *INTEGERS],
    "bitwise_or": ["bool", *INTEGERS], "bitwise_xor": ["bool", *INTEGERS], "copysign": FLOATS,
    "divide": FLOATS + COMPLEX, "equal": EVERY, "greater": REAL, "greater_equal": REAL,
    "hypot": FLOATS, "less": REAL, "less_equal": REAL, "logaddexp": FLOATS,
    "logical_and": ["bool"], "logical_or": ["bool"], "logical_xor": ["bool"], "maximum": REAL,
    "minimum": REAL, "multiply": NUMBERS, "nextafter": FLOATS, "not_equal": EVERY,
    "subtract": NUMBERS, "floor_divide": REAL, "remainder": REAL,
}  # fmt: skip
SPELLED = {"bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift"}

checked = settings(max_examples=40, deadline=None, derandomize=True, database=None)


@pytest.fixture(autouse=True, scope="module")
def wide_types():
    with adlib.enable_x64(True):
        yield


def elements(dtype):
    """Numbers of moderate size, so that formulas may round in their own ways."""
    if dtype == "bool":
        return st.booleans()
    if dtype in INTEGERS:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        return st.integers(max(low, -100), min(high, 100)) | st.sampled_from([low, high])
    parts = st.floats(-50, 50, width=16)
    return parts if dtype in FLOATS else st.builds(complex, parts, parts)


def arrays(dtype, shape=None):
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    return hnp.arrays(dtype, shapes if shape is None else shape, elements=elements(dtype))


def agree(found, wanted, what=""):
    wanted = np.asarray(wanted)
    assert isinstance(found, adlib.Array), what
    assert found.shape == wanted.shape and found.dtype == wanted.dtype, (what, found, wanted)
    if wanted.dtype.kind in "fc":
        close = 1e-4 if wanted.dtype in (np.float32, np.complex64) else 1e-9
        np.testing.assert_allclose(found, wanted, rtol=close, atol=close, err_msg=what)
    else:
        np.testing.assert_array_equal(found, wanted, err_msg=what)


CASES = [(n, d) for n, dtypes in ONE.items() for d in dtypes]


@pytest.mark.parametrize(("name", "dtype"), CASES)
@settings(checked, max_examples=12)
@given(data=st.data())
def test_elementwise(name, dtype, data):
    x = data.draw(arrays(dtype))
    if name in ("floor", "ceil", "trunc", "round") and dtype in INTEGERS:
        wanted = x
    elif name == "sign" and dtype in COMPLEX:
        wanted = np.where(x == 0, 0, x / np.where(x == 0, 1, np.abs(x))).astype(dtype)
    else:
        with np.errstate(all="ignore"):
            wanted = getattr(np, name, None)(x)
    agree(getattr(jnp, name)(jnp.asarray(x)), wanted, name)


@pytest.mark.parametrize(("name", "dtype"), [(n, d) for n, dtypes in TWO.items() for d in dtypes])
@settings(checked, max_examples=12)
@given(data=st.data())
def test_elementwise_of_two(name, dtype, data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    x, y = (data.draw(arrays(dtype, shape)) for shape in shapes.input_shapes)
    if name in ("floor_divide", "remainder"):
        y = np.where(y == 0, 1, y).astype(dtype)
        if dtype[0] == "i":
            y = np.where(y == -1, 2, y).astype(dtype)  # the lowest number by -1 overflows
    with np.errstate(all="ignore"):
        wanted = getattr(np, SPELLED.get(name, name))(x, y)
    agree(getattr(jnp, name)(jnp.asarray(x), jnp.asarray(y)), wanted, name)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", SPELLED)
def test_shifts(name, dtype):
    x = np.asarray([0, 1, 5, np.iinfo(dtype).max, np.iinfo(dtype).min], dtype)
    for n in range(np.iinfo(dtype).bits - 1):
        y = np.full(x.shape, n, dtype)
        agree(getattr(jnp, name)(jnp.asarray(x), jnp.asarray(y)), getattr(np, SPELLED[name])(x, y))


@pytest.mark.parametrize("dtype", NUMBERS)
def test_pow(dtype):
    x, y = np.asarray([1, 2, 3, 0], dtype), np.asarray([3, 2, 0, 2], dtype)
    agree(jnp.pow(jnp.asarray(x), jnp.asarray(y)), x**y)


@checked
@given(
    data=st.data(),
    dtype=st.sampled_from(REAL),
    low=st.none() | st.integers(0, 3),
    high=st.none() | st.integers(2, 6),
)
def test_clip(data, dtype, low, high):
    x = data.draw(arrays(dtype))
    wanted = x if low is None and high is None else np.clip(x, low, high)
    agree(jnp.clip(jnp.asarray(x), low, high), wanted)


# ------------------------------------------------------------------ reductions

REDUCTIONS = {
    "sum": NUMBERS, "prod": FLOATS + COMPLEX, "max": REAL, "min": REAL, "mean": FLOATS,
    "any": EVERY, "all": EVERY, "count_nonzero": EVERY, "argmax": REAL, "argmin": REAL,
}  # fmt: skip


@pytest.mark.parametrize("name", [*REDUCTIONS, "std", "var"])
@checked
@given(data=st.data())
def test_reductions(name, data):
    dtype = data.draw(st.sampled_from(REDUCTIONS.get(name, FLOATS)))
    x = data.draw(arrays(dtype))
    needs_elements = name in ("max", "min", "mean", "std", "var", "argmax", "argmin")
    axes = st.none() | st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.none()
    if name[:3] != "arg" and x.ndim > 1:
        axes |= st.lists(
            st.integers(-x.ndim, x.ndim - 1), max_size=3, unique_by=lambda a, n=x.ndim: a % n
        ).map(tuple)
    axis, keepdims = data.draw(axes), data.draw(st.booleans())
    over = range(x.ndim) if axis is None else np.atleast_1d(np.asarray(axis, int))
    if needs_elements and any(x.shape[a] == 0 for a in over):
        return
    options = {"axis": axis, "keepdims": keepdims}
    with np.errstate(all="ignore"):
        if name == "count_nonzero":
            wanted = np.asarray(np.sum(x != 0, dtype=np.int64, **options))
        else:
            wanted = getattr(np, name)(x, **options)
    agree(getattr(jnp, name)(jnp.asarray(x), **options), wanted, name)


@checked
@given(data=st.data(), initial=st.booleans(), product=st.booleans())
def test_cumulative(data, initial, product):
    dtype = data.draw(st.sampled_from(NUMBERS))
    x = data.draw(hnp.arrays(dtype, hnp.array_shapes(max_dims=2, max_side=4), elements=st.just(2)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    name = "cumulative_prod" if product else "cumulative_sum"
    wanted = getattr(np, name)(x, axis=axis, include_initial=initial)
    agree(getattr(jnp, name)(jnp.asarray(x), axis=axis, include_initial=initial), wanted)


@pytest.mark.parametrize("n", [1, 2])
def test_diff(n):
    x = np.asarray([[1.0, 4.0, 9.0], [2.0, 3.0, 5.0]])
    row = np.ones((2, 1))
    agree(jnp.diff(jnp.asarray(x), n=n), np.diff(x, n=n))
    agree(jnp.diff(jnp.asarray(x), axis=0), np.diff(x, axis=0))
    agree(
        jnp.diff(jnp.asarray(x), n=n, prepend=jnp.asarray(row), append=jnp.asarray(row)),
        np.diff(x, n=n, prepend=row, append=row),
    )


# ---------------------------------------------------- sorting, searching, sets


@checked
@given(data=st.data(), descending=st.booleans())
def test_sorting(data, descending):
    dtype = data.draw(st.sampled_from(REAL))
    x = data.draw(
        hnp.arrays(dtype, hnp.array_shapes(max_dims=2, max_side=5), elements=st.integers(0, 4))
    )
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    options = {"axis": axis, "descending": descending}
    wanted = np.flip(np.sort(x, axis=axis), axis) if descending else np.sort(x, axis=axis)
    agree(jnp.sort(jnp.asarray(x), **options), wanted)
    order = jnp.argsort(jnp.asarray(x), **options)
    # stable: equal elements in their own order, whichever way is up
    key = np.argsort(-x.astype(float) if descending else x, axis=axis, kind="stable")
    agree(order, key)
    agree(jnp.take_along_axis(jnp.asarray(x), order, axis=axis), wanted)


@checked
@given(data=st.data(), side=st.sampled_from(["left", "right"]), shuffled=st.booleans())
def test_searchsorted(data, side, shuffled):
    dtype = data.draw(st.sampled_from(REAL))
    x = data.draw(hnp.arrays(dtype, st.integers(1, 6), elements=st.integers(0, 9)))
    v = data.draw(hnp.arrays(dtype, hnp.array_shapes(max_dims=2), elements=st.integers(0, 9)))
    sorter = np.argsort(x) if shuffled else None
    x = x if shuffled else np.sort(x)
    given_sorter = None if sorter is None else jnp.asarray(sorter)
    found = jnp.searchsorted(jnp.asarray(x), jnp.asarray(v), side=side, sorter=given_sorter)
    # int32, as in JAX, where the array is not longer than int32 can count
    agree(found, np.searchsorted(x, v, side=side, sorter=sorter).astype(np.int32))


@checked
@given(data=st.data())
def test_sets(data):
    dtype = data.draw(st.sampled_from(["bool", *REAL]))
    numbers = st.booleans() if dtype == "bool" else st.integers(0, 4)
    x = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=2), elements=numbers))
    y = jnp.asarray(x)
    every, wanted = jnp.unique_all(y), np.unique_all(x)
    for field in ("values", "indices", "inverse_indices", "counts"):
        agree(getattr(every, field), getattr(wanted, field), field)
    agree(jnp.unique_values(y), wanted.values)
    agree(jnp.unique_counts(y).counts, wanted.counts)
    inverse = jnp.unique_inverse(y)
    agree(inverse.values[inverse.inverse_indices], x)


def test_every_nan_is_unique():
    x = jnp.asarray([np.nan, 1.0, np.nan, 1.0])
    assert jnp.unique_values(x).shape == (3,) and jnp.unique_counts(x).counts.tolist() == [2, 1, 1]


@checked
@given(data=st.data(), dtype=st.sampled_from(EVERY))
def test_nonzero_and_where(data, dtype):
    x = data.draw(arrays(dtype, data.draw(hnp.array_shapes(min_dims=1, max_dims=3))))
    for found, wanted in zip(jnp.nonzero(jnp.asarray(x)), np.nonzero(x), strict=True):
        agree(found, wanted)
    agree(
        jnp.where(jnp.asarray(x != 0), jnp.asarray(x), jnp.asarray(x[:1])),
        np.where(x != 0, x, x[:1]),
    )


# ------------------------------------------------------ manipulation, creation


@checked
@given(data=st.data(), dtype=st.sampled_from(["bool", "uint8", "float32", "complex128"]))
def test_manipulation(data, dtype):
    x = data.draw(arrays(dtype, data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))))
    y, n = jnp.asarray(x), x.ndim
    axis = data.draw(st.integers(-n, n - 1))
    order = data.draw(st.permutations(range(n)))
    shift = data.draw(st.integers(-5, 5))
    agree(jnp.permute_dims(y, order), np.transpose(x, order))
    agree(jnp.moveaxis(y, axis, 0), np.moveaxis(x, axis, 0))
    agree(jnp.flip(y, axis=axis), np.flip(x, axis))
    agree(jnp.flip(y), np.flip(x))
    agree(jnp.roll(y, shift, axis=axis), np.roll(x, shift, axis))
    agree(jnp.roll(y, shift), np.roll(x, shift))
    agree(jnp.concat([y, y], axis=axis), np.concatenate([x, x], axis))
    agree(jnp.concat([y, y], axis=None), np.concatenate([x, x], None))
    agree(jnp.stack([y, y], axis=axis), np.stack([x, x], axis))
    agree(jnp.expand_dims(y, axis=axis), np.expand_dims(x, axis))
    agree(jnp.squeeze(jnp.expand_dims(y, axis=axis), axis), x)
    agree(jnp.repeat(y, 2, axis=axis), np.repeat(x, 2, axis))
    agree(
        jnp.repeat(y, jnp.arange(x.shape[axis]), axis=axis),
        np.repeat(x, np.arange(x.shape[axis]), axis),
    )
    agree(jnp.tile(y, (2, 1)), np.tile(x, (2, 1)))
    agree(jnp.reshape(y, (-1,)), x.reshape(-1))
    agree(jnp.broadcast_to(y, (2, *x.shape)), np.broadcast_to(x, (2, *x.shape)))
    agree(jnp.take(y, jnp.asarray([0, 0]), axis=axis), np.take(x, [0, 0], axis))
    for found, wanted in zip(jnp.unstack(y, axis=axis), np.unstack(x, axis=axis), strict=True):
        agree(found, wanted)
    for found, wanted in zip(
        jnp.broadcast_arrays(y, y[:1]), np.broadcast_arrays(x, x[:1]), strict=True
    ):
        agree(found, wanted)


@pytest.mark.parametrize("dtype", [None, *EVERY])
def test_creation(dtype):
    default = np.dtype(dtype or "float64")
    shape = (2, 3)
    for name in ("ones", "zeros"):
        agree(getattr(jnp, name)(shape, dtype=dtype), getattr(np, name)(shape, default))
        like = jnp.zeros(shape, dtype or "int8")
        wanted = getattr(np, name)(shape, dtype or "int8")
        agree(getattr(jnp, name + "_like")(like), wanted)
        agree(
            getattr(jnp, name + "_like")(jnp.zeros(shape), dtype=dtype or "float64"),
            getattr(np, name)(shape, default),
        )
    assert (
        jnp.empty(shape, dtype=dtype).dtype
        == default
        == jnp.empty_like(jnp.ones(1), dtype=dtype).dtype
    )
    agree(jnp.full(shape, 1, dtype=dtype), np.full(shape, 1, dtype or "int64"))
    agree(jnp.full_like(jnp.ones(shape), 1, dtype=dtype), np.ones(shape, default))
    for rows, columns, k in itertools.product((0, 2, 3), (None, 2, 4), (-2, 0, 1)):
        agree(jnp.eye(rows, columns, k=k, dtype=dtype), np.eye(rows, columns, k=k, dtype=default))
    if dtype in REAL:
        for args in ((5,), (1, 7), (1, 7, 2), (7, 1, -3) if dtype[0] != "u" else (1, 2), (3, 1)):
            agree(jnp.arange(*args, dtype=dtype), np.arange(*args, dtype=dtype))
    if dtype in FLOATS + COMPLEX:
        for num, endpoint in itertools.product((0, 1, 5), (True, False)):
            found = jnp.linspace(0, 3, num, dtype=dtype, endpoint=endpoint)
            agree(found, np.linspace(0, 3, num, dtype=dtype, endpoint=endpoint))
    x = np.arange(12).reshape(2, 2, 3).astype(dtype or float)
    for k in (-1, 0, 2):
        agree(jnp.tril(jnp.asarray(x), k=k), np.tril(x, k))
        agree(jnp.triu(jnp.asarray(x), k=k), np.triu(x, k))
    for indexing in ("xy", "ij"):
        ours = jnp.meshgrid(*[jnp.asarray(v) for v in x[0]], indexing=indexing)
        for found, wanted in zip(ours, np.meshgrid(*x[0], indexing=indexing), strict=True):
            agree(found, wanted)


def test_asarray():
    x = jnp.asarray([1.0, 2.0])
    assert jnp.asarray(x, copy=False) is x or jnp.asarray(x, copy=False).tolist() == [1, 2]
    assert jnp.asarray(x, copy=True).tolist() == [1, 2]
    assert jnp.asarray([[1, 2], [3, 4]], dtype=jnp.float32).dtype == jnp.float32
    assert jnp.asarray((True, False)).dtype == bool and jnp.asarray([1, 2.5, 1j]).dtype == complex


# ------------------------------------------------------------------- operators

OPERATORS = {
    "__add__": (operator.add, NUMBERS), "__sub__": (operator.sub, NUMBERS),
    "__mul__": (operator.mul, NUMBERS), "__truediv__": (operator.truediv, FLOATS + COMPLEX),
    "__and__": (operator.and_, ["bool", *INTEGERS]), "__or__": (operator.or_, ["bool", *INTEGERS]),
    "__xor__": (operator.xor, ["bool", *INTEGERS]), "__eq__": (operator.eq, EVERY),
    "__ne__": (operator.ne, EVERY), "__lt__": (operator.lt, REAL), "__le__": (operator.le, REAL),
    "__gt__": (operator.gt, REAL), "__ge__": (operator.ge, REAL),
    "__matmul__": (operator.matmul, NUMBERS),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_their_functions(name):
    function, dtypes = OPERATORS[name]
    rng = np.random.default_rng(0)
    for dtype in dtypes:
        x, y = (rng.integers(0, 5, (3, 3)).astype(dtype) for _ in "xy")
        with np.errstate(all="ignore"):
            agree(function(jnp.asarray(x), jnp.asarray(y)), function(x, y), name)
            agree(getattr(jnp.asarray(x), name)(jnp.asarray(y)), function(x, y), name)
        if name not in ("__matmul__",) and not (dtype == "bool") and name[2:4] not in ("eq", "ne"):
            agree(function(jnp.asarray(x), 2), function(x, 2), name)


def test_conversions_to_python():
    assert int(jnp.asarray(3)) == 3 == operator.index(jnp.asarray(3)) and not bool(jnp.asarray(0))
    assert float(jnp.asarray(2.5)) == 2.5 and complex(jnp.asarray(1j)) == 1j
    assert complex(jnp.asarray(2.5)) == 2.5 and int(jnp.asarray(True)) == 1
    with pytest.raises(TypeError, match="scalar index"):
        operator.index(jnp.asarray(1.0))
    with pytest.raises(TypeError, match="drop the imaginary part"):
        float(jnp.asarray(1j))
    for value in (jnp.ones((2,)), jnp.ones((0,))):
        with pytest.raises(ValueError, match="ambiguous"):
            bool(value)
        with pytest.raises(TypeError, match="Only scalar arrays"):
            float(value)
