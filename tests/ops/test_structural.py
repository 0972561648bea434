"""Cutting, joining, repeating and filling arrays: values, programs, keys, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib.numpy as jnp
from adlib import grad, lax, make_jaxpr, vmap
from adlib.core import dtypes
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray

X = np.arange(12, dtype=np.float32).reshape(3, 4)


def padded(x, value, config):
    """Padding one element at a time."""
    pairs = zip(x.shape, config, strict=True)
    sizes = [lo + hi + n + max(0, n - 1) * k for n, (lo, hi, k) in pairs]
    out = np.full(sizes, value, x.dtype)
    for place in np.ndindex(*x.shape):
        target = tuple(lo + i * (k + 1) for i, (lo, _, k) in zip(place, config, strict=True))
        if all(0 <= t < n for t, n in zip(target, sizes, strict=True)):
            out[target] = x[place]
    return out


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(-4, 3), st.integers(-4, 3), st.integers(0, 3)),
        max_size=3,
    )
)
def test_pad_is_its_definition(axes):
    shape = tuple(n for n, *_ in axes)
    config = [(lo, hi, k) for _, lo, hi, k in axes]
    x = np.arange(1.0, 1 + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    if any(lo + hi + n + max(0, n - 1) * k < 0 for n, lo, hi, k in axes):
        with pytest.raises(ValueError, match="cuts more elements off"):
            lax.pad(x, -1.0, config)
        return
    expected = padded(x, -1, config)
    np.testing.assert_array_equal(lax.pad(x, -1.0, config), expected)
    # the gradient is where each element went
    w = np.arange(1.0, 1 + expected.size, dtype=np.float32).reshape(expected.shape)
    to_x, to_value = grad(lambda x, v: jnp.sum(w * lax.pad(x, v, config)), (0, 1))(
        jnp.asarray(x), jnp.float32(-1)
    )
    went = padded(np.arange(x.size).reshape(shape), -1, config)
    expected_x = np.zeros(x.size, np.float32)
    np.add.at(expected_x, went[went >= 0], w[went >= 0])
    np.testing.assert_allclose(to_x, expected_x.reshape(shape))
    np.testing.assert_allclose(to_value, w[went < 0].sum(), rtol=1e-5)


def test_each_example_of_a_batch_may_be_padded_with_its_own_value():
    config = [(1, -1, 2), (-1, 2, 0)]
    values = jnp.array([7.0, 8.0])
    got = vmap(lambda v: lax.pad(jnp.asarray(X), v, config))(values)
    np.testing.assert_array_equal(got, [padded(X, 7, config), padded(X, 8, config)])


def test_slices():
    np.testing.assert_array_equal(lax.slice(X, (0, 1), (3, 4), (2, 2)), X[0:3:2, 1:4:2])
    np.testing.assert_array_equal(lax.slice_in_dim(X, -2, None, axis=1), X[:, -2:])
    np.testing.assert_array_equal(lax.slice_in_dim(X, None, -1, 2, axis=-1), X[:, :-1:2])
    np.testing.assert_array_equal(lax.index_in_dim(X, -1, axis=1), X[:, -1:])
    np.testing.assert_array_equal(lax.index_in_dim(X, 1, keepdims=False), X[1])


def test_joining_and_cutting_undo_each_other():
    parts = lax.split(X, (1, 0, 3), axis=1)
    assert [p.shape for p in parts] == [(3, 1), (3, 0), (3, 3)]
    np.testing.assert_array_equal(lax.concatenate(parts, 1), X)
    np.testing.assert_array_equal(lax.stack(lax.unstack(X, 1), 1), X)
    np.testing.assert_array_equal(lax.rev(lax.rev(X, (0, 1)), (1, 0)), X)
    np.testing.assert_array_equal(lax.tile(X, (2, 1)), np.tile(X, (2, 1)))
    assert lax.concatenate([X], 0).shape == X.shape
    assert lax.collapse(jnp.zeros((2, 3, 4)), -2).shape == (2, 12)


def test_filling():
    assert lax.full((2,), 3).aval == ShapedArray((2,), np.dtype(np.int32), True)
    assert lax.full((2,), 2.7, np.int32).tolist() == [2, 2]
    assert lax.full((), 1.5, np.float32).aval == ShapedArray((), np.dtype(np.float32))
    assert lax.full((2,), jnp.float32(1)).weak_type is False
    assert lax.full_like(X, 2).aval == ShapedArray((3, 4), np.dtype(np.float32))
    assert lax.full_like(X, 2, np.int8, (1,)).aval == ShapedArray((1,), np.dtype(np.int8))
    assert lax.full_like(1.0, 3).aval == ShapedArray((), np.dtype(np.float32), True)
    np.testing.assert_array_equal(lax.iota(jnp.bfloat16, 3).astype(np.float32), [0, 1, 2])
    np.testing.assert_array_equal(lax.broadcasted_iota(np.complex64, (2, 2), 0), [[0, 0], [1, 1]])
    assert lax.broadcast(X, (5, 2)).shape == (5, 2, 3, 4)
    assert lax.broadcast_shapes((2, 1), (3,), ()) == (2, 3)
    assert lax.broadcast_to_rank(X, 3).shape == (1, 3, 4)


def test_results_may_share_memory_but_never_change():
    x = jnp.asarray(X)
    cut = lax.slice(x, (0, 0), (2, 2))
    x.at[0, 0].set(9.0)
    np.testing.assert_array_equal(cut, X[:2, :2])


def test_prng_keys_pass_through():
    value = np.arange(4, dtype=np.uint64)
    keys = ArrayImpl(value, ShapedArray((4,), dtypes.key_fry))
    one = lax.index_in_dim(keys, 3, keepdims=False)

    def words(k):
        assert k.dtype is dtypes.key_fry
        return k._value.tolist()

    assert words(lax.slice(keys, (0,), (4,), (2,))) == [0, 2]
    assert words(lax.pad(keys, one, [(1, 0, 0)])) == [3, 0, 1, 2, 3]
    assert words(lax.concatenate([keys, keys], 0)) == [0, 1, 2, 3] * 2
    assert words(lax.rev(keys, (0,))) == [3, 2, 1, 0]
    assert words(lax.stack([one, one])) == [3, 3]
    assert [words(k) for k in lax.unstack(keys)] == [0, 1, 2, 3]
    assert [words(k) for k in lax.split(keys, (1, 3))] == [[0], [1, 2, 3]]
    assert words(lax.full((2,), one)) == [3, 3]
    assert words(lax.full_like(keys, one)) == [3, 3, 3, 3]
    assert words(lax.dynamic_slice(keys, (1,), (2,))) == [1, 2]
    assert words(lax.dynamic_update_slice(keys, keys[:1], (2,))) == [0, 1, 0, 3]
    assert words(lax.tile(keys, (2,))) == [0, 1, 2, 3] * 2
    assert words(vmap(lambda k: k)(keys)) == [0, 1, 2, 3]


def test_programs_are_the_known_ones():
    def text(f):
        return " ".join(str(make_jaxpr(f)(jnp.asarray(X))).split())

    assert text(lambda x: lax.pad(x, 0.0, ((1, 1, 0), (0, -1, 1)))) == (
        "{ lambda ; a:f32[3,4]. let b:f32[5,6] = pad[padding_config=((1, 1, 0), (0, -1, 1))] a "
        "0.0:f32[] in (b,) }"
    )
    assert text(lambda x: lax.split(x, (1, 2))) == (
        "{ lambda ; a:f32[3,4]. let b:f32[1,4] c:f32[2,4] = split[axis=0 sizes=(1, 2)] a in "
        "(b, c) }"
    )
    assert "b:i32[3] = iota[dimension=0 dtype=int32 shape=(3,) sharding=None] in" in text(
        lambda x: lax.iota(np.int32, 3)
    )
    assert "strides=(1, 1)" in text(lambda x: lax.slice_in_dim(x, 0, 1))
    assert "broadcast_in_dim 2.0:f32[]" in text(lambda x: lax.full_like(x, 2))


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: lax.slice(X, (0, 0), (4, 2)), TypeError, "limit 4 .* axis of size 3"),
        (lambda: lax.slice(X, (2, 0), (1, 1)), TypeError, "start 2, limit 1"),
        (lambda: lax.slice(X, (0,), (1,)), TypeError, "one start, limit and stride for each axis"),
        (lambda: lax.slice(X, (0, 0), (1, 1), (0, 1)), TypeError, "stride >= 1"),
        (lambda: lax.slice_in_dim(X, 0, 1, axis=2), ValueError, "axis 2 is out of bounds"),
        (lambda: lax.index_in_dim(X, 3), IndexError, "index 3 is out of bounds for axis 0"),
        (lambda: lax.pad(X, np.int32(0), [(0, 0, 0)] * 2), TypeError, "same dtype, got float32"),
        (lambda: lax.pad(X, 0.0, [(1, 1, 0)]), ValueError, "length of padding_config"),
        (lambda: lax.pad(X, 0.0, [(0, 0, -1), (0, 0, 0)]), ValueError, "interior .* nonnegative"),
        (lambda: lax.pad(X, X[0], [(0, 0, 0)] * 2), ValueError, "must be a scalar"),
        (lambda: lax.concatenate([], 0), ValueError, "at least one array"),
        (lambda: lax.concatenate([X, X[0]], 0), TypeError, "different numbers of dimensions"),
        (lambda: lax.concatenate([X, X[:2]], 1), TypeError, "all other dimensions must be equal"),
        (lambda: lax.concatenate([X, X], 2), TypeError, "dimension out of bounds"),
        (lambda: lax.concatenate([X, X.astype(int)], 0), TypeError, "jnp.concatenate promotes"),
        (lambda: lax.stack([X, X[0]]), ValueError, "must have the same shape"),
        (lambda: lax.rev(X, (0, 0)), TypeError, r"dimensions \(0, 0\) must differ"),
        (lambda: lax.split(X, (1, 1)), ValueError, "sum to 2, but axis 0 .* has size 3"),
        (lambda: lax.tile(X, (2,)), TypeError, "jnp.tile adds the axes"),
        (lambda: lax.collapse(X, 1, 0), ValueError, "are no range"),
        (lambda: lax.iota(bool, 3), TypeError, "iota does not accept dtype bool"),
        (lambda: lax.broadcasted_iota(int, (2,), 1), ValueError, "between 0 and len"),
        (lambda: lax.full((2,), X[0]), TypeError, "scalar fill_value, got an array of shape"),
        (lambda: lax.full((-1,), 0.0), TypeError, "must not be negative"),
        (lambda: lax.broadcast_shapes((2,), (3,)), ValueError, r"broadcasting: \(2,\), \(3,\)"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
