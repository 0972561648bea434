"""Gather, scatter and dynamic slices: all dimension numbers against loops, errors, promises."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib.numpy as jnp
from adlib import grad, jit, lax, make_jaxpr, vmap

# ----------------------------------------------- the definition, one element at a time


def windows(shape, indices, numbers, sizes, mode):
    """(place in the windows, place in the operand or None where it is out of bounds) for each."""
    offset, collapsed, index_map, batching, index_batching = numbers
    kept = [d for d in range(len(shape)) if d not in (*collapsed, *batching)]
    for outer in itertools.product(*map(range, indices.shape[:-1])):
        start = [0] * len(shape)
        for d, i in zip(batching, index_batching, strict=True):
            start[d] = outer[i]
        for d, value in zip(index_map, indices[outer], strict=True):
            start[d] = int(value)
        limits = [n - size for n, size in zip(shape, sizes, strict=True)]
        inside = all(0 <= s <= m for s, m in zip(start, limits, strict=True))
        if mode == "clip":
            start = [min(max(s, 0), m) for s, m in zip(start, limits, strict=True)]
            inside = True
        for within in itertools.product(*map(range, [sizes[d] for d in kept])):
            rest, inner = iter(outer), iter(within)
            rank = len(outer) + len(within)
            place = tuple(next(inner) if i in offset else next(rest) for i in range(rank))
            target = list(start)
            for d, w in zip(kept, within, strict=True):
                target[d] += w
            yield place, tuple(target) if inside else None


def windows_shape(shape, indices, numbers, sizes):
    offset, collapsed, _, batching, _ = numbers
    inner = iter([sizes[d] for d in range(len(shape)) if d not in (*collapsed, *batching)])
    outer = iter(indices.shape[:-1])
    rank = indices.ndim - 1 + len(offset)
    return tuple(next(inner) if i in offset else next(outer) for i in range(rank))


@st.composite
def gathers(draw):
    """Operand, indices (some out of bounds), dimension numbers, window sizes."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rank = int(rng.integers(1, 4))
    shape = tuple(int(n) for n in rng.integers(1, 5, rank))
    order = [int(d) for d in rng.permutation(rank)]
    batched = int(rng.integers(0, min(rank, 2) + 1))
    batching, rest = tuple(sorted(order[:batched])), order[batched:]
    index_map = tuple(rest[: rng.integers(0, len(rest) + 1)])
    sizes = [1 if d in batching else int(rng.integers(1, shape[d] + 1)) for d in range(rank)]
    collapsed = tuple(d for d in sorted(rest) if rng.random() < 0.4)
    for d in collapsed:
        sizes[d] = 1
    outer = [int(n) for n in rng.integers(1, 4, int(rng.integers(0, 3)) + batched)]
    pairs = tuple(int(i) for i in rng.permutation(len(outer))[:batched])
    for d, i in zip(batching, pairs, strict=True):
        outer[i] = shape[d]
    kept = rank - batched - len(collapsed)
    offset = tuple(sorted(int(i) for i in rng.permutation(len(outer) + kept)[:kept]))
    indices = rng.integers(-2, 6, (*outer, len(index_map))).astype(np.int32)
    x = rng.integers(1, 9, shape).astype(np.float32)
    return x, indices, (offset, collapsed, index_map, batching, pairs), tuple(sizes)


CASES = settings(max_examples=1000)
MODES = st.sampled_from(["clip", "fill"])


@CASES
@given(gathers(), MODES)
def test_gather_is_its_definition(case, mode):
    x, indices, numbers, sizes = case
    expected = np.full(windows_shape(x.shape, indices, numbers, sizes), -1, np.float32)
    for place, target in windows(x.shape, indices, numbers, sizes, mode):
        if target is not None:
            expected[place] = x[target]
    got = lax.gather(
        x, indices, lax.GatherDimensionNumbers(*numbers), sizes, mode=mode, fill_value=-1
    )
    np.testing.assert_array_equal(got, expected)


COMBINE = {
    "scatter": lambda old, new: new,
    "scatter_add": np.add,
    "scatter_sub": np.subtract,
    "scatter_mul": np.multiply,
    "scatter_min": np.minimum,
    "scatter_max": np.maximum,
}


@CASES
@given(gathers(), MODES, st.sampled_from(sorted(COMBINE)))
def test_scatters_are_their_definition(case, mode, name):
    x, indices, numbers, sizes = case
    shape = windows_shape(x.shape, indices, numbers, sizes)
    updates = np.arange(2.0, 2.0 + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape) % 7
    expected = x.copy()
    # rows are written in the order of the indices, and within a window in the operand's order
    for place, target in windows(x.shape, indices, numbers, sizes, mode):
        if target is not None:
            expected[target] = COMBINE[name](expected[target], updates[place])
    got = getattr(lax, name)(x, indices, updates, lax.ScatterDimensionNumbers(*numbers), mode=mode)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@CASES
@given(gathers(), MODES)
def test_gather_and_scatter_add_are_transposes(case, mode):
    x, indices, numbers, sizes = case
    shape = windows_shape(x.shape, indices, numbers, sizes)
    w = np.arange(1.0, 1.0 + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    read = lambda x: lax.gather(  # noqa: E731
        x, indices, lax.GatherDimensionNumbers(*numbers), sizes, mode=mode, fill_value=0
    )
    to_x = grad(lambda x: jnp.sum(read(x) * w))(jnp.asarray(x))
    written = lax.scatter_add(
        jnp.zeros_like(x), indices, w, lax.ScatterDimensionNumbers(*numbers), mode=mode
    )
    np.testing.assert_allclose(to_x, written, rtol=1e-6)


# ------------------------------------------------------------------- gradients


ROWS = lax.ScatterDimensionNumbers((), (0,), (0,))


def numerical(f, v, eps=1e-2):
    basis = np.eye(v.size, dtype=np.float32).reshape(v.size, *v.shape)
    return np.array([(f(v + eps * e) - f(v - eps * e)) / (2 * eps) for e in basis]).reshape(v.shape)


def test_products_at_repeated_indices_have_gradients_at_zeros_too():
    x = jnp.array([2.0, 3.0, 5.0])
    indices = jnp.array([[0], [1], [1], [2], [2]])
    w = jnp.array([1.0, 10.0, 100.0])
    for u in ([4.0, 6.0, 7.0, 1.0, 1.0], [0.0, 0.0, 7.0, 0.0, 0.0]):
        u = jnp.array(u)
        f = lambda u: jnp.sum(w * lax.scatter_mul(x, indices, u, ROWS))  # noqa: E731
        np.testing.assert_allclose(grad(f)(u), numerical(f, u), rtol=1e-2)


def test_values_that_reach_an_extremum_share_its_gradient():
    x, u = jnp.array([1.0, 5.0, 2.0]), jnp.array([1.0, 4.0, 3.0, 3.0])
    indices = jnp.array([[0], [1], [2], [2]])
    to_x, to_u = grad(lambda x, u: lax.scatter_max(x, indices, u, ROWS).sum(), (0, 1))(x, u)
    np.testing.assert_allclose(to_x, [0.5, 1, 0])
    np.testing.assert_allclose(to_u, [0.5, 0, 0.5, 0.5])


def test_an_overwritten_update_has_no_gradient():
    indices = jnp.array([[1], [0], [1]])
    w = jnp.array([3.0, 5.0, 7.0])
    f = lambda x, u: jnp.sum(w * lax.scatter(x, indices, u, ROWS))  # noqa: E731
    to_x, to_u = grad(f, (0, 1))(jnp.zeros(3), jnp.ones(3))
    np.testing.assert_array_equal(to_x, [0, 0, 7])
    np.testing.assert_array_equal(to_u, [0, 3, 5])


def test_scatter_apply():
    x, double = jnp.ones(3), lambda v: 2 * v
    indices = jnp.array([[0], [2], [2], [9]])
    apply = lambda i: lax.scatter_apply(x, i, double, ROWS, update_shape=(4,))  # noqa: E731
    np.testing.assert_array_equal(apply(indices), [2, 1, 4])
    np.testing.assert_array_equal(jit(apply)(indices), [2, 1, 4])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, np.int8, np.uint32, np.complex64])
def test_scatters_in_other_dtypes(dtype):
    x = jnp.ones((3, 2), dtype)
    indices = jnp.array([[1], [1]])
    numbers = lax.ScatterDimensionNumbers((1,), (0,), (0,))
    u = jnp.full((2, 2), 3, dtype)
    for function, expected in ((lax.scatter_add, 7), (lax.scatter_mul, 9), (lax.scatter, 3)):
        got = function(x, indices, u, numbers)
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(np.asarray(got[1]).astype(complex), [expected, expected])


# -------------------------------------------------------------- dynamic slices


def test_dynamic_slices_wrap_and_clamp():
    x = jnp.arange(5)
    np.testing.assert_array_equal(lax.dynamic_slice(x, (-2,), (2,)), [3, 4])
    np.testing.assert_array_equal(lax.dynamic_slice(x, jnp.array([4]), (2,)), [3, 4])
    np.testing.assert_array_equal(jit(lambda i: lax.dynamic_slice(x, (i,), (2,)))(-2), [3, 4])
    np.testing.assert_array_equal(
        lax.dynamic_slice(x, (-2,), (2,), allow_negative_indices=False), [0, 1]
    )
    np.testing.assert_array_equal(
        lax.dynamic_update_slice(x, jnp.array([9]), (7,)), [0, 1, 2, 3, 9]
    )
    np.testing.assert_array_equal(lax.dynamic_index_in_dim(x, 2, keepdims=False), 2)
    np.testing.assert_array_equal(
        lax.dynamic_update_index_in_dim(jnp.zeros((2, 3)), jnp.ones(2), 1, 1),
        [[0, 1, 0], [0, 1, 0]],
    )


def test_dynamic_slices_map_over_their_starts():
    x, starts = jnp.arange(12.0).reshape(3, 4), jnp.array([0, 1, 3])
    got = vmap(lambda i: lax.dynamic_slice(x, (i, 1), (1, 2)))(starts)
    np.testing.assert_array_equal(got, [[[1, 2]], [[5, 6]], [[9, 10]]])
    got = vmap(lambda row, i: lax.dynamic_slice(row, (i,), (2,)))(x, starts)
    np.testing.assert_array_equal(got, [[0, 1], [5, 6], [10, 11]])
    got = vmap(lambda row, i: lax.dynamic_update_slice(row, jnp.array([-1.0]), (i,)))(x, starts)
    np.testing.assert_array_equal(got[1], [4, -1, 6, 7])


def test_index_take():
    x = jnp.arange(12).reshape(3, 4)
    got = lax.index_take(x, (jnp.array([0, -1]), jnp.array([1, 2])), (0, 1))
    np.testing.assert_array_equal(got, [1, 10])


def test_programs_are_the_known_ones():
    shown = " ".join(
        str(
            make_jaxpr(lambda x, i: lax.dynamic_slice(x, (i, 0), (1, 2)))(jnp.zeros((3, 4)), 1)
        ).split()
    )
    assert shown == (
        "{ lambda ; a:f32[3,4] b:i32[]. let c:bool[] = lt b 0:i32[] d:i32[] = "
        "convert_element_type[new_dtype=int32 weak_type=False] b e:i32[] = add d 3:i32[] f:i32[] "
        "= select_n c b e g:f32[1,2] = dynamic_slice[slice_sizes=(1, 2)] a f 0:i32[] in (g,) }"
    )
    shown = " ".join(str(make_jaxpr(lambda x: x.at[0].add(1.0))(jnp.zeros((3, 4)))).split())
    assert shown == (
        "{ lambda ; a:f32[3,4]. let b:i32[1] = broadcast_in_dim 0:i32[] c:f32[4] = "
        "broadcast_in_dim 1.0:f32[] d:f32[3,4] = scatter-add[ "
        "dimension_numbers=ScatterDimensionNumbers(update_window_dims=(0,), "
        "inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,), operand_batching_dims=(), "
        "scatter_indices_batching_dims=()) indices_are_sorted=True "
        "mode=GatherScatterMode.FILL_OR_DROP unique_indices=True update_consts=() update_jaxpr={ "
        "lambda ; e:f32[] f:f32[]. let g:f32[] = add e f in (g,) } ] a b c in (d,) }"
    )


# ---------------------------------------------------------------------- errors

X = np.zeros((3, 4), np.float32)
D = lax.GatherDimensionNumbers


@pytest.mark.parametrize(
    "indices, numbers, sizes, message",
    [
        ([[0]], D((1,), (0,), (0,)), (1, 5), "a window must fit into the operand"),
        ([[0]], D((1,), (0,), (0,)), (2, 4), "must have window size 1"),
        ([[0.5]], D((1,), (0,), (0,)), (1, 4), "indices must have an integer type, not float"),
        ([[0, 1]], D((1,), (0,), (0,)), (1, 4), "2 entries, but 1 axes are named"),
        ([[0]], D((1,), (0,), (7,)), (1, 4), r"the axes \(7,\) must differ and lie in 0..1"),
        ([[0]], D((1,), (), (0,)), (1, 4), "must be in the window, left out, or batched"),
        ([[0]], D((1,), (0,), (0,)), (1,), "a size for each of the operand's 2 axes"),
    ],
)
def test_errors_of_gather(indices, numbers, sizes, message):
    text = f"gather: .*{message}[\\s\\S]*Repair: x\\[i\\]"
    with pytest.raises((TypeError, ValueError), match=text):
        lax.gather(X, np.asarray(indices), numbers, sizes)


def test_errors_of_scatter():
    numbers = lax.ScatterDimensionNumbers((1,), (0,), (0,))
    indices = np.array([[0], [1]])
    with pytest.raises(TypeError, match=r"updates must have rank 2 .*got shape \(2, 3, 4\)"):
        lax.scatter_add(X, indices, np.zeros((2, 3, 4), np.float32), numbers)
    with pytest.raises(TypeError, match=r"\(2, 4\) is wanted"):
        lax.scatter_add(X, indices, np.zeros((3, 4), np.float32), numbers)
    with pytest.raises(TypeError, match="same dtype, got float32 and int32[\\s\\S]*astype"):
        lax.scatter(X, indices, np.zeros((2, 4), np.int32), numbers)


def test_errors_of_dynamic_slices():
    with pytest.raises(ValueError, match="one start index is needed for each axis, got 1"):
        lax.dynamic_slice(X, (0,), (1, 4))
    with pytest.raises(TypeError, match=r"block of shape \(4, 4\) does not fit"):
        lax.dynamic_slice(X, (0, 0), (4, 4))
    with pytest.raises(TypeError, match="integer scalars, got f32"):
        lax.dynamic_slice(X, (0, 0.5), (1, 4))
    with pytest.raises(TypeError, match="same rank"):
        lax.dynamic_update_slice(X, np.zeros(3, np.float32), (0, 0))
    with pytest.raises(TypeError, match="same dtypes, got float32 and int32"):
        lax.dynamic_update_slice(X, np.zeros((1, 1), np.int32), (0, 0))
