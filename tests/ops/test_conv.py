"""Convolutions: values against loops, derivatives, paddings, dimension numbers, error texts."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.ops import conv_kernel
from tests.support import assert_close

# -------------------------------------------------------------------- values


def by_loops(x, w, strides, pads, ld, rd, features=1, batches=1):
    """The definition, for operands in the layouts (N, C, spatial...) and (O, I, spatial...)."""
    rank = len(strides)
    spread = [(n - 1) * d + 1 for n, d in zip(x.shape[2:], ld, strict=True)]
    wide = np.zeros((*x.shape[:2], *spread), x.dtype)
    wide[(..., *[slice(None, None, d) for d in ld])] = x
    border = [(max(lo, 0), max(hi, 0)) for lo, hi in pads]
    wide = np.pad(wide, [(0, 0), (0, 0), *border])
    cut = [
        slice(max(-lo, 0), n - max(-hi, 0))
        for (lo, hi), n in zip(pads, wide.shape[2:], strict=True)
    ]
    wide = wide[(..., *cut)]
    reach = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], rd, strict=True)]
    counts = [
        max(0, (n - r) // s + 1) for n, r, s in zip(wide.shape[2:], reach, strides, strict=True)
    ]
    n, o = x.shape[0] // batches, w.shape[0]
    out = np.zeros((n, o, *counts), x.dtype)
    groups = features * batches
    for g in range(groups):
        own = slice(g * o // groups, (g + 1) * o // groups)
        if batches > 1:
            part = wide[g * n : (g + 1) * n]
        else:
            c = x.shape[1] // features
            part = wide[:, g * c : (g + 1) * c]
        for place in itertools.product(*map(range, counts)):
            window = part[
                (
                    ...,
                    *[
                        slice(p * s, p * s + r, d)
                        for p, s, r, d in zip(place, strides, reach, rd, strict=True)
                    ],
                )
            ]
            axes = list(range(1, rank + 2))
            out[(slice(None), own, *place)] = np.tensordot(window, w[own], (axes, axes))
    return out


@st.composite
def convolutions(draw):
    rank = draw(st.integers(0, 2))
    features, batches = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (3, 1), (1, 2)]))

    def each(low, high):
        return [draw(st.integers(low, high)) for _ in range(rank)]

    x = (batches * draw(st.integers(1, 2)), features * draw(st.integers(1, 2)), *each(1, 6))
    w = (features * batches * draw(st.integers(1, 2)), x[1] // features, *each(1, 3))
    pads = [tuple(draw(st.integers(-1, 2)) for _ in range(2)) for _ in range(rank)]
    return x, w, each(1, 3), pads, each(1, 2), each(1, 2), features, batches


@given(convolutions())
def test_values_agree_with_loops(case):
    shape_x, shape_w, *geometry, features, batches = case
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, shape_x).astype(np.float32)
    w = rng.integers(-4, 5, shape_w).astype(np.float32)
    out = lax.conv_general_dilated(x, w, *geometry, None, features, batches)
    np.testing.assert_array_equal(out, by_loops(x, w, *geometry, features, batches))


@given(convolutions(), st.booleans())
def test_cotangents_are_transposes(case, channels_last):
    shape_x, shape_w, *geometry, features, batches = case
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(shape_x), rng.standard_normal(shape_w)
    with adlib.enable_x64():
        f = lambda x, w: lax.conv_general_dilated(x, w, *geometry, None, features, batches)  # noqa: E731
        out, vjp = adlib.vjp(f, x, w)
        ct = rng.standard_normal(out.shape)
        ct_x, ct_w = vjp(jnp.asarray(ct))
        # linear in each operand: <ct, f(x, w)> is the product of each with its cotangent
        total = np.sum(ct * np.asarray(out))
        np.testing.assert_allclose(np.sum(ct_x * x), total, atol=1e-9)
        np.testing.assert_allclose(np.sum(ct_w * w), total, atol=1e-9)
        dx, dw = rng.standard_normal(shape_x), rng.standard_normal(shape_w)
        np.testing.assert_allclose(np.sum(ct_x * dx), np.sum(ct * f(dx, w)), atol=1e-9)
        np.testing.assert_allclose(np.sum(ct_w * dw), np.sum(ct * f(x, dw)), atol=1e-9)


def test_pieces_give_what_the_whole_gives(monkeypatch):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((5, 3, 9, 8)))
    w = jnp.asarray(rng.standard_normal((4, 3, 3, 2)))
    for ld, strides in ((1, 1), (1, 2), (2, 1)):

        def loss(x, w, ld=ld, strides=strides):
            out = lax.conv_general_dilated(x, w, (strides, 1), [(1, 1), (0, 1)], (ld, 1))
            return (out**2).sum()

        both = adlib.value_and_grad(loss, (0, 1))
        want = both(x, w)
        with monkeypatch.context() as patch:
            patch.setattr(conv_kernel, "_PIECE", 50)
            assert_close(both(x, w), want, rtol=1e-4, atol=1e-3)


def test_layouts_hold_the_same_numbers():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((4, 3, 3, 2))
    plain = np.asarray(lax.conv(jnp.asarray(x), jnp.asarray(w), (2, 1), "SAME"))
    letters = dict(zip("NCHW", range(4), strict=True)), dict(zip("OIHW", range(4), strict=False))
    for numbers in (("NHWC", "HWIO", "NHWC"), ("CWNH", "IOHW", "HNWC"), ("WHCN", "OHWI", "NCHW")):
        moved = [
            np.transpose(v, [order[c] for c in text])
            for v, order, text in zip((x, w), letters, numbers[:2], strict=True)
        ]
        out = lax.conv_general_dilated(*moved, (2, 1), "SAME", dimension_numbers=numbers)
        wanted = np.transpose(plain, ["NCHW".index(c) for c in numbers[2]])
        np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)


def test_dtypes():
    ones = lambda *shape, dtype: jnp.ones(shape, dtype)  # noqa: E731
    out = lax.conv(
        ones(1, 1, 300, dtype="bfloat16"), ones(1, 1, 300, dtype="bfloat16"), (1,), "VALID"
    )
    assert out.dtype.name == "bfloat16" and float(out[0, 0, 0]) == 300
    out = lax.conv_general_dilated(
        ones(1, 1, 4, dtype="int8"),
        ones(1, 1, 3, dtype="int8"),
        (1,),
        "VALID",
        preferred_element_type="int32",
    )
    assert out.dtype.name == "int32" and out.tolist() == [[[3, 3]]]


# ---------------------------------------------------------- paddings, shapes


@pytest.mark.parametrize(
    "name, pads",
    [
        ("VALID", [(0, 0), (0, 0)]),
        ("SAME", [(0, 1), (1, 1)]),
        ("SAME_LOWER", [(1, 0), (1, 1)]),
        ("same", [(0, 1), (1, 1)]),
    ],
)
def test_paddings_by_name(name, pads):
    assert lax.padtype_to_pads((8, 9), (3, 3), (2, 1), name) == pads
    x, w = jnp.ones((1, 1, 8, 9)), jnp.ones((1, 1, 3, 3))
    assert_close(lax.conv(x, w, (2, 1), name), lax.conv_general_dilated(x, w, (2, 1), pads))


def test_shapes_without_arrays():
    nhwc = ("NHWC", "HWIO", "NHWC")
    assert lax.conv_shape_tuple((2, 3, 8, 9), (4, 3, 3, 2), (1, 1), ((0, 0), (1, 1))) == (
        2,
        4,
        6,
        10,
    )
    assert lax.conv_general_shape_tuple((2, 8, 9, 3), (3, 2, 3, 4), (1, 1), "SAME", nhwc) == (
        2,
        8,
        9,
        4,
    )
    assert lax.conv_transpose_shape_tuple((2, 8, 9, 3), (3, 2, 4, 3), (2, 2), "SAME", nhwc) == (
        2,
        16,
        18,
        3,
    )
    assert lax.conv_general_permutations(nhwc) == ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))


# Sums of the results, and of the results weighted by their positions, as XLA gives them.
@pytest.mark.parametrize(
    "padding, transposed, consistent, shape, total, weighted",
    [
        ("SAME", False, False, (1, 10, 12, 4), 1452560.0, 452612800.0),
        ("SAME", True, True, (1, 10, 12, 4), 1203344.0, 394353760.0),
        ("VALID", False, True, (1, 11, 12, 4), 1511880.0, 482356320.0),
        ("VALID", True, False, (1, 11, 12, 4), 1509000.0, 547978112.0),
        ([(1, 2), (0, 1)], False, False, (1, 10, 10, 4), 1293796.0, 300635392.0),
        ([(1, 2), (0, 1)], False, True, (1, 8, 10, 4), 1088160.0, 228705696.0),
        ([(1, 2), (0, 1)], True, False, (1, 10, 10, 4), 1370068.0, 362212352.0),
        ([(1, 2), (0, 1)], True, True, (1, 8, 10, 4), 837312.0, 182055984.0),
    ],
)
def test_transposed_convolution(padding, transposed, consistent, shape, total, weighted):
    kernel = np.arange(72.0).reshape((3, 2, 4, 3) if transposed else (3, 2, 3, 4))
    out = np.asarray(
        lax.conv_transpose(
            jnp.arange(60.0).reshape(1, 5, 4, 3),
            jnp.asarray(kernel),
            (2, 3),
            padding,
            transpose_kernel=transposed,
            use_consistent_padding=consistent,
        ),
        np.float64,
    )
    assert out.shape == shape
    np.testing.assert_allclose(out.sum(), total)
    np.testing.assert_allclose(
        (out * np.arange(out.size).reshape(shape)).sum(), weighted, rtol=1e-6
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_transposed_convolution_undoes_the_shape(padding):
    w = jnp.asarray(np.random.default_rng(0).standard_normal((3, 2, 2, 4)))
    x = jnp.asarray(np.random.default_rng(1).standard_normal((1, 8, 6, 2)))
    numbers = ("NHWC", "HWIO", "NHWC")
    conv = lambda x: lax.conv_general_dilated(x, w, (2, 2), padding, dimension_numbers=numbers)  # noqa: E731
    y, vjp = adlib.vjp(conv, x)
    back = lax.conv_transpose(y, w, (2, 2), padding, transpose_kernel=True)
    (ct,) = vjp(y)
    used = ct[:, : back.shape[1], : back.shape[2]]  # "VALID" may leave elements out
    assert_close(back[:, : ct.shape[1], : ct.shape[2]], used, rtol=1e-4, atol=1e-4)
    assert not np.any(ct[:, back.shape[1] :]) and not np.any(ct[:, :, back.shape[2] :])


def test_patches():
    x = jnp.arange(18.0).reshape(1, 2, 3, 3)
    patches = lax.conv_general_dilated_patches(x, (2, 2), (1, 1), "VALID")
    assert patches.shape == (1, 8, 2, 2)
    assert patches[0, :, 0, 0].tolist() == [0, 1, 3, 4, 9, 10, 12, 13]
    w = jnp.asarray(np.random.default_rng(0).standard_normal((3, 2, 2, 2)))
    product = jnp.einsum("nkhw,ok->nohw", patches, w.reshape(3, 8))
    assert_close(product, lax.conv(x, w, (1, 1), "VALID"), rtol=1e-5, atol=1e-5)


def test_local_convolution_with_equal_kernels_is_a_convolution():
    rng = np.random.default_rng(0)
    x, w = jnp.asarray(rng.standard_normal((2, 3, 5, 6))), rng.standard_normal((4, 3, 3, 2))
    everywhere = np.broadcast_to(w.reshape(4, 18)[:, :, None, None], (4, 18, 3, 6))
    out = lax.conv_general_dilated_local(x, jnp.asarray(everywhere), (2, 1), "SAME", (3, 2))
    assert_close(out, lax.conv(x, jnp.asarray(w), (2, 1), "SAME"), rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------ transformations


def test_vmap_of_inputs_and_kernels():
    rng = np.random.default_rng(0)
    xs, ws = (jnp.asarray(rng.standard_normal(s)) for s in ((4, 2, 2, 6), (4, 2, 1, 3)))
    f = lambda x, w: lax.conv_general_dilated(x, w, (1,), "SAME", feature_group_count=2)  # noqa: E731
    both = adlib.vmap(f)(xs, ws)
    assert_close(
        both, jnp.stack([f(x, w) for x, w in zip(xs, ws, strict=True)]), rtol=1e-5, atol=1e-5
    )
    kernels = adlib.vmap(f, in_axes=(None, 0))(xs[0], ws)
    assert_close(kernels, jnp.stack([f(xs[0], w) for w in ws]), rtol=1e-5, atol=1e-5)
    per_example = adlib.vmap(adlib.grad(lambda w, x: f(x, w).sum()), in_axes=(None, 0))(ws[0], xs)
    each = [adlib.grad(lambda w: f(x, w).sum())(ws[0]) for x in xs]  # noqa: B023
    assert_close(per_example, jnp.stack(each), rtol=1e-5, atol=1e-5)


# --------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "shapes, options, error, message",
    [
        (((2, 3, 8), (4, 2, 3)), {}, ValueError, r"input feature dimension size, but 3 // 1 != 2"),
        (((2, 3, 8), (4, 3)), {}, TypeError, "ndim to be equal, got 3 and 2"),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(window_strides=(1, 1)),
            ValueError,
            "same number of dimensions, but got 1 and 2",
        ),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(window_strides=(0,)),
            ValueError,
            r"window_strides must hold a positive number",
        ),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(padding="SOME"),
            RuntimeError,
            "Unrecognized padding type: expected 'VALID', 'SAME', or 'SAME_LOWER', got SOME",
        ),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(padding=[(0, 0), (0, 0)]),
            TypeError,
            "Wrong number of explicit pads for convolution: expected 1, got 2",
        ),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(lhs_dilation=(2,), padding="SAME"),
            ValueError,
            "(?s)not defined for a dilated input.*Repair: lax.conv_transpose",
        ),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(feature_group_count=2),
            ValueError,
            "feature_group_count must divide lhs feature dimension size, but 2 does not divide 3",
        ),
        (
            ((2, 4, 8), (4, 2, 3)),
            dict(feature_group_count=2, batch_group_count=2),
            ValueError,
            "At most one of batch_group_count and feature_group_count may be > 1",
        ),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(dimension_numbers=("NCH", "OIH", "NCHW")),
            TypeError,
            r"dimension_numbers\[2\] must have len equal to the ndim of lhs and rhs, got 4",
        ),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(dimension_numbers=("NCH", "OIA", "NCH")),
            TypeError,
            "must each have the same set of spatial characters",
        ),
        (
            ((2, 3, 8), (4, 3, 3)),
            dict(dimension_numbers=("NNH", "OIH", "NCH")),
            TypeError,
            r"dimension_numbers\[0\] must contain the characters 'N' and 'C' exactly once",
        ),
    ],
)
def test_errors(shapes, options, error, message):
    x, w = (jnp.ones(s) for s in shapes)
    options = {"window_strides": (1,), "padding": "VALID"} | options
    with pytest.raises(error, match=message):
        lax.conv_general_dilated(x, w, **options)


def test_dtypes_that_differ():
    with pytest.raises(TypeError, match="same dtypes, got float32, int32"):
        lax.conv(jnp.ones((1, 1, 4)), jnp.ones((1, 1, 2), "int32"), (1,), "VALID")
