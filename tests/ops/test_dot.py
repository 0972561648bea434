"""``dot_general``: values against einsum, one product under vmap, printed form, error texts."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.core import dtypes

MATRIX = (((1,), (0,)), ((), ()))


@st.composite
def products(draw):
    """Two shapes with dimension numbers that fit them."""
    letters = iter(string.ascii_letters)
    sizes = {}

    def axes(most):
        names = [next(letters) for _ in range(draw(st.integers(0, most)))]
        sizes.update({n: draw(st.integers(0 if n in "cd" else 1, 4)) for n in names})
        return names

    contract, batch, left, right = axes(2), axes(2), axes(2), axes(2)
    lhs = draw(st.permutations(contract + batch + left))
    rhs = draw(st.permutations(contract + batch + right))
    free = [n for n in lhs if n in left] + [n for n in rhs if n in right]
    numbers = tuple(
        (tuple(lhs.index(n) for n in names), tuple(rhs.index(n) for n in names))
        for names in (contract, batch)
    )
    equation = f"{''.join(lhs)},{''.join(rhs)}->{''.join(batch + free)}"
    shapes = [tuple(sizes[n] for n in names) for names in (lhs, rhs)]
    return shapes, numbers, equation


@given(products(), st.sampled_from([np.float32, np.complex64, np.int32]), st.booleans())
def test_values_of_any_dimension_numbers(case, dtype, strided):
    (left, right), numbers, equation = case
    rng = np.random.default_rng(0)

    def make(shape):
        x = rng.integers(-4, 5, shape).astype(dtype)
        return x + x.dtype.type(1j) * x[..., ::-1] if dtype is np.complex64 and x.ndim else x

    x, y = make(left), make(right)
    a, b = jnp.asarray(x), jnp.asarray(y)
    if strided:  # the same numbers in column-major memory
        a, b = (lax.transpose(jnp.asarray(v.T), range(v.ndim)[::-1]) for v in (x, y))
    out = lax.dot_general(a, b, numbers)
    assert out.dtype == np.dtype(dtype)
    np.testing.assert_allclose(out, np.einsum(equation, x, y), rtol=1e-5)


@given(products(), st.integers(0, 4), st.integers(0, 4))
def test_gradients_are_einsums(case, i, j):
    (left, right), numbers, equation = case
    rng = np.random.default_rng(i)
    x, y = rng.standard_normal(left), rng.standard_normal(right)
    inputs, output = equation.split("->")
    lhs, rhs = inputs.split(",")
    with adlib.enable_x64():
        out, vjp = adlib.vjp(lambda x, y: lax.dot_general(x, y, numbers), x, y)
        ct = rng.standard_normal(out.shape)
        ct_x, ct_y = vjp(jnp.asarray(ct))
        np.testing.assert_allclose(ct_x, np.einsum(f"{output},{rhs}->{lhs}", ct, y), atol=1e-12)
        np.testing.assert_allclose(ct_y, np.einsum(f"{lhs},{output}->{rhs}", x, ct), atol=1e-12)


@pytest.mark.parametrize(
    "dtype, preferred, result",
    [
        ("int8", None, "int8"),
        ("int8", "int32", "int32"),
        ("bool", None, "bool"),
        ("bfloat16", None, "bfloat16"),
        ("bfloat16", "float32", "float32"),
        ("float16", None, "float16"),
        ("float32", "bfloat16", "bfloat16"),
        ("uint8", "float32", "float32"),
    ],
)
def test_dtypes(dtype, preferred, result):
    x, y = jnp.ones((2, 300), dtype), jnp.ones((300, 2), dtype)
    out = lax.dot_general(x, y, MATRIX, preferred_element_type=preferred)
    assert out.dtype.name == result
    wanted = {"int8": 300 - 256, "bool": 1}.get(result, 300)
    np.testing.assert_array_equal(np.asarray(out, np.float32), np.full((2, 2), wanted))


def test_low_precision_sums_are_taken_in_float32():
    # in bfloat16 itself the sum would stop growing at 256
    x = jnp.ones(2000, dtypes.bfloat16)
    assert float(lax.dot(x, x)) == 2000


def test_mixed_dtypes_and_their_cotangents():
    x, y = jnp.ones((2, 3), "bfloat16"), jnp.ones((3, 2), "float32")
    assert lax.dot(x, y).dtype == np.float32
    ct_x, ct_y = adlib.grad(lambda x, y: lax.dot(x, y).sum(), (0, 1))(x, y)
    assert ct_x.dtype.name == "bfloat16" and ct_y.dtype.name == "float32"


@pytest.mark.parametrize(
    "axes, shapes, numbers",
    [
        ((0, None), ((5, 2, 3), (3, 4)), "(([2], [0]), ([], []))"),
        ((None, 0), ((2, 3), (5, 3, 4)), "(([1], [1]), ([], []))"),
        ((1, 2), ((2, 5, 3), (3, 4, 5)), "(([2], [0]), ([1], [2]))"),
        ((1, None), ((3, 5), (3,)), "(([0], [0]), ([], []))"),
    ],
)
def test_vmap_is_one_product(axes, shapes, numbers):
    x, y = (jnp.asarray(np.random.default_rng(0).standard_normal(s)) for s in shapes)
    mapped = adlib.vmap(jnp.dot, in_axes=axes)
    text = str(adlib.make_jaxpr(mapped)(x, y))
    assert text.count("dot_general") == 1 and f"dimension_numbers={numbers}" in text
    rows = [
        np.dot(
            *(
                np.asarray(v) if a is None else np.take(np.asarray(v), i, a)
                for v, a in zip((x, y), axes, strict=True)
            )
        )
        for i in range(5)
    ]
    np.testing.assert_allclose(mapped(x, y), np.stack(rows), rtol=1e-5)


def test_vmap_of_a_vjp_is_one_matrix_product():
    matrix = jnp.ones((4, 3))
    _, vjp = adlib.vjp(lambda x: jnp.dot(matrix, x), jnp.ones(3))
    text = str(adlib.make_jaxpr(adlib.vmap(vjp))(jnp.ones((7, 4))))
    assert text.count(" = ") == 1
    assert "c:f32[7,3] = dot_general[\n      dimension_numbers=(([1], [0]), ([], []))" in text


def test_jaxpr_of_a_gradient_reads_as_the_field_writes_it():
    loss = lambda a, b: jnp.sum(jnp.dot(a, b))  # noqa: E731
    text = str(adlib.make_jaxpr(adlib.grad(loss, (0, 1)))(jnp.ones((4, 3)), jnp.ones((3, 5))))
    assert (
        text
        == """\
{ lambda ; a:f32[4,3] b:f32[3,5]. let
    c:f32[4,5] = dot_general[
      dimension_numbers=(([1], [0]), ([], []))
      preferred_element_type=float32
    ] a b
    _:f32[] = reduce_sum[axes=(0, 1)] c
    d:f32[4,5] = broadcast_in_dim 1.0:f32[]
    e:f32[5,3] = dot_general[
      dimension_numbers=(([0], [0]), ([], []))
      preferred_element_type=float32
    ] d a
    f:f32[3,5] = transpose[permutation=(1, 0)] e
    g:f32[4,3] = dot_general[
      dimension_numbers=(([1], [1]), ([], []))
      preferred_element_type=float32
    ] d b
  in (g, f) }"""
    )


# ------------------------------------------------------------------ precision


def test_precision_is_kept_and_printed():
    x = jnp.ones((2, 2))
    text = str(adlib.make_jaxpr(lambda x: lax.dot(x, x, precision="highest"))(x))
    assert "precision=(Precision.HIGHEST, Precision.HIGHEST)" in text
    pair = (lax.Precision.HIGH, "float32")
    text = str(adlib.make_jaxpr(lambda x: lax.dot(x, x, precision=pair))(x))
    assert "precision=(Precision.HIGH, Precision.HIGHEST)" in text
    assert "precision" not in str(adlib.make_jaxpr(lax.dot)(x, x))


def test_default_precision_comes_from_the_configuration():
    with adlib.default_matmul_precision("high"):
        text = str(adlib.make_jaxpr(lax.dot)(jnp.ones((2, 2)), jnp.ones((2, 2))))
    assert "precision=(Precision.HIGH, Precision.HIGH)" in text


def test_unknown_precision():
    with pytest.raises(ValueError, match="(?s)'exact' is no precision .*Repair: give None"):
        lax.dot(jnp.ones(2), jnp.ones(2), precision="exact")


# --------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "numbers, message",
    [
        (
            (((2,), (1,)), ((0,), ())),
            "equal numbers of lhs_batch and rhs_batch dimensions, got "
            r"lhs_batch \(0,\) and rhs_batch \(\)",
        ),
        (
            (((2,), (1,)), ((0,), (2,))),
            "lhs batch dimensions and rhs batch dimensions to have the "
            r"same shape, got \(2,\) and \(5,\)",
        ),
        ((((5,), (1,)), ((0,), (0,))), "nonnegative and less than the number of axes of the lhs"),
        ((((2,), (1,)), ((2,), (0,))), "lhs batch dimensions to be disjoint from contracting"),
        ((((2, 2), (1, 1)), ((), ())), "lhs contracting dimensions to be distinct"),
    ],
)
def test_dimension_numbers_that_do_not_fit(numbers, message):
    with pytest.raises(TypeError, match=message):
        lax.dot_general(jnp.ones((2, 4, 3)), jnp.ones((2, 3, 5)), numbers)


def test_sizes_that_differ_name_the_repair():
    with pytest.raises(TypeError) as error:
        lax.dot_general(jnp.ones((2, 3)), jnp.ones(2), MATRIX)
    text = str(error.value)
    assert text.startswith(
        "dot_general requires contracting dimensions to have the same shape, got (3,) and (2,)."
    )
    assert "test_dot.py" in text
    assert "Repair: x.T @ y fits, since (3, 2) meets (2,)." in text
    with pytest.raises(TypeError, match=r"Repair: x @ y.T fits, since \(2, 3\) meets \(3, 4\)"):
        lax.dot_general(jnp.ones((2, 3)), jnp.ones((4, 3)), MATRIX)


def test_dot_takes_vectors_and_matrices():
    with pytest.raises(ValueError, match=r"dimension_numbers must be specified .*lhs_shape=\(4, 3"):
        lax.dot(jnp.ones((4, 3)), jnp.ones((4, 3)))
    with pytest.raises(ValueError, match="jnp.matmul"):
        lax.dot(jnp.ones((2, 4, 3)), jnp.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="batch_matmul requires two arrays of one rank"):
        lax.batch_matmul(jnp.ones((4, 3)), jnp.ones(3))
    assert lax.batch_matmul(jnp.ones((2, 4, 3)), jnp.ones((2, 3, 5))).shape == (2, 4, 5)
