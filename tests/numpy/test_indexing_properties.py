"""NumPy's index forms drawn at random, for reading and for updating, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import adlib
import adlib.numpy as jnp
from adlib import grad, jit, vmap

thousand = settings(max_examples=1000, deadline=None, derandomize=True, database=None)


def _slices(size):
    bounds = st.none() | st.integers(-size - 2, size + 2)
    return st.builds(slice, bounds, bounds, st.none() | st.sampled_from([1, 2, 3, -1, -2]))


@st.composite
def cases(draw, min_side=0, repeats=True, masks=True):
    """(array, index): every kind of entry, in any mixture that fits the shape."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=min_side, max_side=4))
    # what the integer arrays of this index broadcast to
    together = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    index, axis, ellipsis = [], 0, False
    while axis < len(shape):
        kinds = ["slice", "slice", "newaxis", "stop"]
        kinds += ["integer", "array"] if shape[axis] and repeats else []
        kinds += ["mask"] if masks and len(together) < 2 else []
        kinds += ["ellipsis"] if not ellipsis else []
        kind = draw(st.sampled_from(kinds))
        size = shape[axis]
        if kind == "stop" or (kind == "newaxis" and len(index) > 5):
            break
        if kind == "newaxis":
            index.append(None)
        elif kind == "ellipsis":
            index.append(...)
            ellipsis = True
            axis += draw(st.integers(0, len(shape) - axis))
        elif kind == "slice":
            index.append(draw(_slices(size)))
            axis += 1
        elif kind == "integer":
            index.append(draw(st.integers(-size, size - 1)))
            axis += 1
        elif kind == "array":
            dims = draw(hnp.broadcastable_shapes(together, max_dims=2, max_side=3))
            assume(np.broadcast_shapes(dims, together) is not None)
            dtype = draw(st.sampled_from(["int32", "int8", "int64"]))
            index.append(draw(hnp.arrays(dtype, dims, elements=st.integers(-size, size - 1))))
            axis += 1
        else:
            rank = draw(st.integers(0, min(2, len(shape) - axis)))
            index.append(draw(hnp.arrays(bool, shape[axis : axis + rank])))
            axis += rank
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) * 0.5 - 3
    found = tuple(index)
    return x, found[0] if len(found) == 1 and draw(st.booleans()) else found


def numpy_read(x, index):
    try:
        return x[index]
    except (IndexError, ValueError):  # index arrays that do not broadcast
        return None


def agree(found, wanted, **options):
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, **options)


@thousand
@given(cases())
def test_reading(case):
    x, index = case
    wanted = numpy_read(x, index)
    if wanted is None:
        with pytest.raises((IndexError, ValueError, TypeError)):
            jnp.asarray(x)[index]
        return
    agree(jnp.asarray(x)[index], np.asarray(wanted))


def _places(x, index):
    """The elements of ``x`` that an index names, as positions in its row-major order."""
    return np.arange(x.size).reshape(x.shape)[index]


@thousand
@given(
    cases(),
    st.sampled_from(["set", "add", "subtract", "multiply", "divide", "power", "min", "max"]),
    st.data(),
)
def test_updating(case, name, data):
    x, index = case
    read = numpy_read(x, index)
    assume(read is not None)
    shape = np.shape(read)
    values = np.float32(data.draw(st.sampled_from([2.0, -1.0, 0.5])))
    if data.draw(st.booleans()):
        dims = data.draw(hnp.broadcastable_shapes(shape, max_dims=len(shape), max_side=4))
        if np.broadcast_shapes(dims, shape) == shape:
            whole = st.sampled_from([1.0, 2.0, -1.0, 0.5])
            values = data.draw(hnp.arrays(np.float32, dims, elements=whole))
    if name == "set" and np.unique(_places(x, index)).size < np.size(read):
        values = np.float32(7)  # which one of several stays is not said
    if name == "power":
        x, values = np.abs(x) + 1, np.round(np.abs(values)) + 1
    y = x.copy()
    if name == "set":
        y[index] = values
    else:
        ufunc = {"min": np.minimum, "max": np.maximum}.get(name) or getattr(np, name)
        ufunc.at(y, index, values)
    agree(getattr(jnp.asarray(x).at[index], name)(values), y, rtol=1e-5)


@thousand
@given(cases(repeats=False))
def test_apply_and_get(case):
    x, index = case
    wanted = numpy_read(x, index)
    assume(wanted is not None)
    y = x.copy()
    y[index] = np.sin(y[index])
    agree(jnp.asarray(x).at[index].apply(jnp.sin), y, rtol=1e-5)
    agree(jnp.asarray(x).at[index].get(), np.asarray(wanted))


# ------------------------------------------------------------- out of bounds

MODES = ["clip", "drop", "fill", "promise_in_bounds", None]


@thousand
@given(
    st.integers(1, 5),
    hnp.arrays("int32", hnp.array_shapes(max_dims=2, max_side=4), elements=st.integers(-9, 9)),
    st.sampled_from(MODES),
    st.sampled_from(["float32", "int32", "uint8"]),
)
def test_reading_out_of_bounds(size, index, mode, dtype):
    x = np.arange(1, 2 * size + 1).reshape(size, 2).astype(dtype)
    wrapped = np.where(index < 0, index + size, index)
    inside = (wrapped >= 0) & (wrapped < size)
    assume(mode != "promise_in_bounds" or inside.all())
    wanted = x[np.clip(wrapped, 0, size - 1)]
    if mode in ("drop", "fill"):  # None is "clip" for reading
        fill = {"float32": np.nan, "int32": np.iinfo("int32").min, "uint8": 255}[dtype]
        outside = 5 if mode == "drop" else fill
        wanted = np.where(inside[..., None], wanted, np.asarray(outside).astype(dtype))
    options = {"fill_value": 5} if mode == "drop" else {}
    agree(jnp.asarray(x).at[index].get(mode=mode, **options), wanted)


@thousand
@given(
    st.integers(1, 5),
    hnp.arrays("int32", st.integers(0, 6), elements=st.integers(-9, 9)),
    st.sampled_from(MODES),
    st.sampled_from(["add", "multiply", "min", "max"]),
)
def test_updating_out_of_bounds(size, index, mode, name):
    x = np.arange(1.0, size + 1, dtype=np.float32)
    values = np.linspace(1, 2, index.size, dtype=np.float32)
    wrapped = np.where(index < 0, index + size, index)
    inside = (wrapped >= 0) & (wrapped < size)
    assume(mode != "promise_in_bounds" or inside.all())
    if mode != "clip":
        wrapped, values_in = wrapped[inside], values[inside]
    else:
        values_in = values
    y = x.copy()
    ufunc = {"min": np.minimum, "max": np.maximum}.get(name) or getattr(np, name)
    ufunc.at(y, np.clip(wrapped, 0, size - 1), values_in)
    agree(getattr(jnp.asarray(x).at[index], name)(values, mode=mode), y, rtol=1e-5)


@thousand
@given(
    hnp.arrays("int32", st.integers(1, 5), elements=st.integers(0, 5), unique=True),
    st.booleans(),
)
def test_flags_are_promises(index, in_order):
    index = np.sort(index) if in_order else index
    x, values = np.zeros(6, np.float32), np.arange(1.0, index.size + 1, dtype=np.float32)
    y = x.copy()
    y[index] = values
    flags = {"unique_indices": True, "indices_are_sorted": in_order}
    agree(jnp.asarray(x).at[index].set(values, **flags), y)
    agree(jnp.asarray(x).at[index].add(values, **flags), y)
    agree(jnp.asarray(y).at[index].get(**flags), values)


# ------------------------------------------------------------ transformations


@thousand
@given(cases(min_side=1))
def test_reading_under_transformations(case):
    x, index = case
    wanted = numpy_read(x, index)
    assume(wanted is not None)
    wanted = np.asarray(wanted)

    def read(v):
        return v[index]

    agree(jit(read)(x), wanted)
    stacked = jnp.stack([jnp.asarray(x), 2 * jnp.asarray(x)])
    agree(vmap(read)(stacked), np.stack([wanted, 2 * wanted]))
    weights = np.cos(np.arange(wanted.size, dtype=np.float32)).reshape(wanted.shape)
    slope = np.zeros_like(x)
    np.add.at(slope, index, weights)
    agree(grad(lambda v: jnp.sum(read(v) * weights))(x), slope, rtol=1e-5, atol=1e-6)
    agree(adlib.jvp(read, (x,), (x,))[1], wanted)


@thousand
@given(cases(min_side=1), st.sampled_from(["set", "add", "multiply"]))
def test_updating_under_transformations(case, name):
    x, index = case
    read = numpy_read(x, index)
    assume(read is not None)
    unique = np.unique(_places(x, index)).size == np.size(read)
    assume(unique or name == "add")
    values = np.linspace(1, 2, np.size(read), dtype=np.float32).reshape(np.shape(read))

    def update(v, w):
        return getattr(v.at[index], name)(w)

    wanted = x.copy()
    if name == "set":
        wanted[index] = values
    else:
        getattr(np, name).at(wanted, index, values)
    agree(jit(update)(x, values), wanted, rtol=1e-6)
    both = vmap(update, in_axes=(0, None))(np.stack([x, x]), values)
    agree(both, np.stack([wanted, wanted]), rtol=1e-6)
    weights = np.cos(np.arange(x.size, dtype=np.float32)).reshape(x.shape)
    to_x, to_values = grad(lambda v, w: jnp.sum(update(v, w) * weights), (0, 1))(x, values)
    kept, there = weights.copy(), weights[index]
    if name == "set":
        kept[index] = 0
    elif name == "multiply":
        np.multiply.at(kept, index, values)
        there = there * x[index]
    agree(to_x, kept, rtol=1e-5, atol=1e-6)
    agree(to_values, np.asarray(there), rtol=1e-5, atol=1e-6)
