"""``x[index]`` and ``x.at[index]`` against NumPy, on random indices; and their errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib.numpy as jnp
from adlib import grad, jit, jvp, make_jaxpr, vmap
from adlib.base import errors
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl
from adlib.core.avals import ShapedArray

CASES = settings(max_examples=300)


@st.composite
def shapes_and_indices(draw, arrays=True, empty=True):
    """A shape and an index that NumPy accepts for it."""
    rank = draw(st.integers(0, 3))
    shape = tuple(draw(st.lists(st.integers(0 if empty else 1, 4), min_size=rank, max_size=rank)))
    joint = draw(st.sampled_from([(), (2,), (1,), (3, 2), (0,)])) if arrays else ()
    entries, axis = [], 0
    while axis < rank and draw(st.integers(0, 4)):
        kinds = ["slice", "new"] + (["int"] if shape[axis] else [])
        if arrays:
            kinds += ["array", "mask"] if shape[axis] else []
        kind = draw(st.sampled_from(kinds))
        if kind == "new":
            entries.append(None)
            continue
        n = shape[axis]
        if kind == "int":
            entries.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-6, 6)
            step = st.none() | st.integers(-3, 3).filter(bool)
            entries.append(slice(draw(bound), draw(bound), draw(step)))
        elif kind == "array":
            own = joint[draw(st.integers(0, len(joint))) :]
            values = draw(
                st.lists(
                    st.integers(-n, n - 1), min_size=int(np.prod(own)), max_size=int(np.prod(own))
                )
            )
            entries.append(np.array(values, np.int32).reshape(own))
        else:
            # as many True as the joint shape holds, so that masks meet arrays
            wanted = joint[-1] if joint else 1
            mask = np.zeros(n, bool)
            mask[draw(st.permutations(range(n)))[:wanted]] = True
            if mask.sum() not in (wanted, 1):
                continue
            entries.append(mask)
        axis += 1
    index = tuple(entries)
    if draw(st.booleans()):
        with_ellipsis = (
            *entries[: (place := draw(st.integers(0, len(entries))))],
            Ellipsis,
            *entries[place:],
        )
        try:
            np.zeros(shape)[with_ellipsis]
            index = with_ellipsis
        except IndexError:  # what stood behind it does not fit the last axes
            pass
    if len(index) == 1 and draw(st.booleans()):
        index = index[0]
    return shape, index


def numbered(shape):
    return np.arange(1.0, 1.0 + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)


def is_array(entry):
    return isinstance(entry, np.ndarray) and entry.dtype != bool


def with_arrays(index, replacements):
    """``index`` with its integer arrays and ints replaced in turn."""
    several = isinstance(index, tuple)
    values = iter(replacements)
    out = tuple(
        next(values) if is_array(e) or type(e) is int else e
        for e in (index if several else (index,))
    )
    return out if several else out[0]


def index_arrays(index):
    entries = index if isinstance(index, tuple) else (index,)
    return [np.asarray(e, np.int32) for e in entries if is_array(e) or type(e) is int]


@CASES
@given(shapes_and_indices())
def test_reading_is_numpys(case):
    shape, index = case
    x = numbered(shape)
    got = jnp.asarray(x)[index]
    assert got.shape == np.shape(x[index])
    np.testing.assert_array_equal(got, x[index])


@settings(max_examples=100)
@given(shapes_and_indices())
def test_reading_with_traced_indices_is_numpys(case):
    shape, index = case
    x = numbered(shape)
    got = jit(lambda x, *i: x[with_arrays(index, i)])(x, *index_arrays(index))
    assert got.shape == np.shape(x[index])
    np.testing.assert_array_equal(got, x[index])


@settings(max_examples=100)
@given(shapes_and_indices())
def test_the_gradient_of_reading_adds_where_it_was_read(case):
    shape, index = case
    x = numbered(shape)
    w = 0.5 + numbered(np.shape(x[index]))
    expected = np.zeros_like(x)
    np.add.at(expected, index, w)
    got = grad(lambda x: jnp.sum(w * x[index]))(jnp.asarray(x))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@settings(max_examples=100)
@given(shapes_and_indices(empty=False))
def test_reading_maps(case):
    shape, index = case
    x = numbered((3, *shape))
    mapped = vmap(lambda x: x[index])(jnp.asarray(x))
    np.testing.assert_array_equal(mapped, np.stack([v[index] for v in x]))
    arrays = [np.stack([a, a, a]) for a in index_arrays(index)]
    if arrays:
        mapped = vmap(lambda x, *i: x[with_arrays(index, i)])(jnp.asarray(x), *arrays)
        np.testing.assert_array_equal(mapped, np.stack([v[index] for v in x]))


UPDATES = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
}


@CASES
@given(shapes_and_indices(), st.sampled_from(sorted(UPDATES)))
def test_updating_is_numpys(case, method):
    shape, index = case
    x = numbered(shape)
    values = 2.0 + numbered(np.shape(x[index]))[..., ::-1] if np.ndim(x[index]) else np.float32(2)
    values = np.asarray(values, np.float32)
    expected = x.copy()
    UPDATES[method].at(expected, index, values)
    got = getattr(jnp.asarray(x).at[index], method)(values)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@CASES
@given(shapes_and_indices(), st.booleans())
def test_setting_is_numpys(case, one_value):
    shape, index = case
    x = numbered(shape)
    values = np.float32(-1) if one_value else -numbered(np.shape(x[index]))
    expected = x.copy()
    expected[index] = values
    np.testing.assert_array_equal(jnp.asarray(x).at[index].set(values), expected)
    arrays = index_arrays(index)
    got = jit(lambda x, *i: x.at[with_arrays(index, i)].set(values))(x, *arrays)
    np.testing.assert_array_equal(got, expected)


@settings(max_examples=100)
@given(shapes_and_indices())
def test_the_gradient_of_setting_goes_to_what_stays(case):
    shape, index = case
    x = numbered(shape)
    v = numbered(np.shape(x[index]))
    w = 0.5 + numbered(shape)
    # which update each element of the result comes from (the last one counts)
    source = np.full(shape, -1)
    source[index] = np.arange(v.size).reshape(v.shape)
    to_x, to_v = grad(lambda x, v: jnp.sum(w * x.at[index].set(v)), (0, 1))(
        jnp.asarray(x), jnp.asarray(v)
    )
    np.testing.assert_allclose(to_x, np.where(source < 0, w, 0))
    expected = np.zeros(v.size, np.float32)
    np.add.at(expected, source[source >= 0], w[source >= 0])
    np.testing.assert_allclose(to_v, expected.reshape(v.shape))


# -------------------------------------------------------------- out of bounds


def test_reading_out_of_bounds_gives_the_nearest_element():
    x = jnp.arange(3.0)
    assert x[5] == 2 and x[-7] == 0
    np.testing.assert_array_equal(x[jnp.array([5, -7, -1])], [2, 0, 2])
    assert jit(lambda x, i: x[i])(x, 9) == 2
    np.testing.assert_array_equal(x.at[jnp.array([9])].get(mode="clip"), [2])


@pytest.mark.parametrize(
    "dtype, fill", [(np.float32, np.nan), (np.int32, -(2**31)), (np.uint8, 255), (bool, True)]
)
def test_reading_with_mode_fill(dtype, fill):
    x = jnp.zeros(3, dtype)
    for index in (7, jnp.array(7), jnp.array([7]), -4):
        got = x.at[index].get(mode="fill")
        np.testing.assert_array_equal(got, np.full(got.shape, fill, dtype))
    assert x.at[1].get(mode="fill") == 0
    np.testing.assert_array_equal(x.at[jnp.array([7, 0])].get(mode="fill", fill_value=1), [1, 0])


def test_updates_out_of_bounds_are_dropped_or_clipped():
    x = jnp.arange(3.0)
    for index in (5, -7, jnp.array([5]), jnp.array(5)):
        np.testing.assert_array_equal(x.at[index].set(9.0), x)
        np.testing.assert_array_equal(x.at[index].add(9.0, mode="drop"), x)
    np.testing.assert_array_equal(x.at[5].set(9.0, mode="clip"), [0, 1, 9])
    np.testing.assert_array_equal(x.at[jnp.array([-7, 5])].set(9.0, mode="clip"), [9, 1, 9])


def test_the_gradient_out_of_bounds_is_that_of_what_happened():
    x, index = jnp.arange(3.0), jnp.array([5, -7])
    np.testing.assert_array_equal(grad(lambda x: x.at[index].get(mode="clip").sum())(x), [1, 0, 1])
    np.testing.assert_array_equal(
        grad(lambda x: x.at[index].get(mode="fill", fill_value=7).sum())(x), [0, 0, 0]
    )
    _, t = jvp(lambda x: x.at[index].get(mode="fill"), (x,), (jnp.ones(3),))
    np.testing.assert_array_equal(t, [0, 0])


def test_indices_that_do_not_wrap():
    x = jnp.arange(3.0)
    np.testing.assert_array_equal(x.at[jnp.array([-1])].set(9.0, wrap_negative_indices=False), x)
    assert x.at[-1].get(mode="fill", fill_value=5, wrap_negative_indices=False) == 5


def test_narrow_index_dtypes_wrap_on_long_axes():
    x = jnp.arange(300)
    np.testing.assert_array_equal(x[jnp.array([-1, -100], np.int8)], [299, 200])
    np.testing.assert_array_equal(x[jnp.array([255], np.uint8)], [255])


# --------------------------------------------------------------------- at[...]


def test_divide_power_and_mul():
    x = jnp.array([1.0, 2.0, 8.0])
    np.testing.assert_array_equal(x.at[2].divide(4), [1, 2, 2])
    np.testing.assert_array_equal(x.at[1:].power(2), [1, 4, 64])
    np.testing.assert_array_equal(x.at[1].mul(3), [1, 6, 8])
    np.testing.assert_array_equal(x.at[jnp.array([1, 1])].divide(2), [1, 0.5, 8])


def test_apply_acts_once_for_each_occurrence():
    x = jnp.arange(4.0)
    double = lambda v: 2 * v  # noqa: E731
    np.testing.assert_array_equal(x.at[1].apply(double), [0, 2, 2, 3])
    np.testing.assert_array_equal(x.at[1:3].apply(double), [0, 2, 4, 3])
    index = jnp.array([1, 3, 3])
    np.testing.assert_array_equal(x.at[index].apply(double), [0, 2, 2, 12])
    np.testing.assert_array_equal(jit(lambda i: x.at[i].apply(double))(index), [0, 2, 2, 12])
    np.testing.assert_array_equal(x.at[jnp.array([9, 1])].apply(double), [0, 2, 2, 3])
    np.testing.assert_array_equal(
        grad(lambda x: x.at[index].apply(jnp.square).sum())(x), [1, 2, 1, 108]
    )


def test_updates_keep_the_dtype_of_the_array():
    x = jnp.arange(3)
    np.testing.assert_array_equal(x.at[0].set(2.5), [2, 1, 2])
    assert x.at[0].add(jnp.float32(1.5)).dtype == np.int32
    assert jnp.zeros(2, np.float16).at[0].set(1).dtype == np.float16


def test_values_broadcast_and_new_axes_are_dropped():
    x = jnp.zeros((2, 3))
    np.testing.assert_array_equal(x.at[1].set(jnp.arange(3.0)), [[0, 0, 0], [0, 1, 2]])
    np.testing.assert_array_equal(
        x.at[:, None, 1].set(jnp.array([[1.0], [2.0]])), [[0, 1, 0], [0, 2, 0]]
    )
    np.testing.assert_array_equal(x.at[True].add(1.0), np.ones((2, 3)))
    np.testing.assert_array_equal(x.at[False].add(1.0), np.zeros((2, 3)))


def test_arrays_do_not_change():
    x = jnp.zeros(3)
    x.at[0].set(1.0)
    np.testing.assert_array_equal(x, [0, 0, 0])
    with pytest.raises(TypeError, match=r"x.at\[idx\].set"):
        x[0] = 1.0


def test_iteration_and_unpacking():
    def f(x):
        a, b = x
        return a * b

    np.testing.assert_allclose(grad(f)(jnp.array([2.0, 3.0])), [3, 2])
    assert [float(v) for v in jnp.arange(3.0)] == [0, 1, 2]
    assert all(isinstance(v, Array) for v in jnp.arange(3.0))


def test_lists_and_ranges_inside_a_tuple_are_arrays():
    x = jnp.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(x[0, [1, 3]], [1, 3])
    np.testing.assert_array_equal(x[range(2),], [[0, 1, 2, 3], [4, 5, 6, 7]])
    np.testing.assert_array_equal(jit(lambda i, j: x[1, [i, j]])(0, 2), [4, 6])
    np.testing.assert_array_equal(x[0, [True, False, True, False]], [0, 2])


# -------------------------------------------------------------------- programs


def text(f, *args):
    return " ".join(str(make_jaxpr(f)(*args)).split())


def test_static_indices_are_slices():
    x = jnp.zeros((3, 4))
    assert text(lambda x: x[0], x) == (
        "{ lambda ; a:f32[3,4]. let b:f32[1,4] = slice[limit_indices=(1, 4) start_indices=(0, 0) "
        "strides=None] a c:f32[4] = squeeze[dimensions=(0,)] b in (c,) }"
    )
    assert text(lambda x: x[1:3], x) == (
        "{ lambda ; a:f32[3,4]. let b:f32[2,4] = slice[limit_indices=(3, 4) start_indices=(1, 0) "
        "strides=None] a in (b,) }"
    )
    assert "rev[dimensions=(0,)]" in text(lambda x: x[::-1], x)
    assert "strides=(2, 1)" in text(lambda x: x[::2, 1], x)
    assert text(lambda x: x[:, ...], x) == "{ lambda ; a:f32[3,4]. let in (a,) }"


def test_a_traced_integer_is_a_dynamic_slice():
    shown = text(lambda x, i: x[i], jnp.zeros((3, 4)), 0)
    assert "dynamic_slice[slice_sizes=(1, 4)]" in shown and "gather" not in shown
    shown = text(lambda x, i: x[i, 1:3], jnp.zeros((3, 4)), 0)
    assert "dynamic_slice[slice_sizes=(1, 2)]" in shown


def test_arrays_are_a_gather_and_updates_a_scatter():
    x, i = jnp.zeros((3, 4)), jnp.array([0, 2])
    assert "gather[ dimension_numbers=GatherDimensionNumbers(offset_dims=(1,), " in text(
        lambda x, i: x[i], x, i
    )
    assert "scatter-add[ dimension_numbers=ScatterDimensionNumbers(update_window_dims=(1,)" in text(
        lambda x, i: x.at[i].add(1.0), x, i
    )
    assert "update_jaxpr={ lambda ; " in text(lambda x, i: x.at[i].add(1.0), x, i)


# ---------------------------------------------------------------------- errors

X = jnp.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    "index, error, message",
    [
        ([0, 1], TypeError, r"non-tuple sequence .* not allowed[\s\S]*jnp.array\(indices"),
        (0.5, TypeError, "Indexer must have integer or boolean type, got .* float64"),
        (jnp.array([0.5]), TypeError, r"float32[\s\S]*Repair: i.astype\(int\)"),
        ((0, 0, 0), IndexError, "Too many indices: array is 2-dimensional, but 3 were indexed"),
        ((..., ...), IndexError, "single ellipsis"),
        ("a", TypeError, "have no fields"),
        ({}, IndexError, "only integers, slices .* are valid indices"),
        (slice(0, 2.5), TypeError, "Slice entries must be integers or None, got 2.5"),
        (slice(None, None, 0), ValueError, "slice step cannot be zero"),
        (np.array([True, False]), IndexError, r"did not match .* mask of shape \(2,\)"),
        ((jnp.array([0, 1]), jnp.array([0, 1, 2])), ValueError, r"\(2,\), \(3,\) do not fit"),
    ],
)
def test_errors_of_indices(index, error, message):
    with pytest.raises(error, match=message):
        X[index]


def test_errors_of_traced_indices():
    with pytest.raises(errors.NonConcreteBooleanIndexError, match=r"bool\[3,4\][\s\S]*jnp.where"):
        jit(lambda x: x[x > 2])(X)
    with pytest.raises(IndexError, match="static integers[\\s\\S]*lax.dynamic_slice_in_dim"):
        jit(lambda i: X[i:])(1)
    with pytest.raises(IndexError, match="out of bounds for axis 0 with size 0"):
        jnp.zeros((0, 2))[0]


def test_errors_of_updates():
    with pytest.raises(ValueError, match=r"values of shape \(3,\) .* which has shape \(4,\)"):
        X.at[0].set(jnp.ones(3))
    with pytest.raises(TypeError, match="square brackets"):
        X.at(0)
    with pytest.raises(ValueError, match="Unknown gather mode 'wrap'; the modes are 'clip'"):
        X.at[0].set(1.0, mode="wrap")
    with pytest.raises(ValueError, match="fill_value .* must be a scalar"):
        X.at[0].get(mode="fill", fill_value=jnp.ones(2))
    with pytest.raises(TypeError, match="position 0|requires ndarray"):
        X.at[0].set("a")


def test_a_mask_under_grad_is_known():
    x = jnp.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: (x[x > 0] ** 2).sum())(x), [2, 0, 6])


def words(keys):
    return keys._value.tolist()


def test_prng_keys_are_indexed_like_numbers():
    value = np.arange(6, dtype=np.uint64).reshape(3, 2)
    keys = ArrayImpl(value, ShapedArray((3, 2), dtypes.key_fry))
    mask = np.array([True, False, True])
    for index in (1, slice(None, None, -1), (slice(1, None), 0), np.array([2, 0]), mask, None):
        assert keys[index].dtype is dtypes.key_fry
        assert words(keys[index]) == value[index].tolist()
    assert words(jit(lambda i: keys[i])(2)) == [4, 5]
    assert words(vmap(lambda i: keys[i, 1])(jnp.array([0, 2]))) == [1, 5]
    assert words(keys.at[0].set(keys[2])) == [[4, 5], [2, 3], [4, 5]]
    assert words(keys.at[jnp.array([9, 1])].get(mode="clip")) == [[4, 5], [2, 3]]
    with pytest.raises(TypeError, match="same dtype, got key<fry> and int32"):
        keys.at[0].set(jnp.array([1, 2]))
