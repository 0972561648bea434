"""A few seconds' walk through every floor, to run while editing: `make smoke`."""

import math

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, random, tree_util


def bent(x):
    return jnp.sin(x) * x**2


def bent_slope(x):
    return math.cos(x) * x**2 + 2 * x * math.sin(x)


def test_arrays_are_32_bit_and_print_as_the_field_prints_them():
    assert repr(jnp.arange(3.0)) == "Array([0., 1., 2.], dtype=float32)"
    assert jnp.arange(3).dtype == np.int32
    assert repr(jnp.zeros(2, jnp.int32).at[1].add(5)) == "Array([0, 5], dtype=int32)"


def test_wide_arrays_on_request():
    with adlib.enable_x64(True):
        assert jnp.ones(2).dtype == np.float64
    assert jnp.ones(2).dtype == np.float32


@pytest.mark.parametrize("wrap", [lambda f: f, adlib.jit], ids=["eager", "jit"])
def test_grad_jvp_vjp_and_linearize_agree(wrap):
    f = wrap(bent)
    slope = bent_slope(1.5)
    np.testing.assert_allclose(adlib.grad(f)(1.5), slope, rtol=1e-5)
    np.testing.assert_allclose(adlib.jvp(f, (1.5,), (1.0,))[1], slope, rtol=1e-5)
    np.testing.assert_allclose(adlib.vjp(f, 1.5)[1](1.0)[0], slope, rtol=1e-5)
    np.testing.assert_allclose(adlib.linearize(f, 1.5)[1](1.0), slope, rtol=1e-5)


def test_fourth_derivative():
    f = jnp.sin
    for _ in range(4):
        f = adlib.grad(f)
    np.testing.assert_allclose(f(0.7), math.sin(0.7), rtol=1e-5)


def test_jacobians_and_hessian_of_a_matrix_program():
    matrix = jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    x = jnp.array([0.1, -0.2])
    expected = (1 - np.tanh(matrix @ x) ** 2)[:, None] * np.asarray(matrix)
    for jacobian in (adlib.jacfwd, adlib.jacrev):
        np.testing.assert_allclose(jacobian(lambda x: jnp.tanh(matrix @ x))(x), expected, rtol=1e-5)
    hessian = adlib.hessian(lambda x: jnp.sum((matrix @ x) ** 2))(x)
    np.testing.assert_allclose(hessian, 2 * matrix.T @ matrix, rtol=1e-6)


def test_vmap_of_grad_of_jit():
    points = jnp.linspace(-1.0, 1.0, 5)
    slopes = adlib.vmap(adlib.grad(adlib.jit(bent)))(points)
    np.testing.assert_allclose(slopes, [bent_slope(float(x)) for x in points], atol=1e-6)


def test_gradients_keep_the_structure_of_their_argument():
    params = {"w": jnp.ones((2, 3)), "b": [jnp.zeros(3), None]}
    gradient = adlib.grad(lambda p: jnp.sum(p["w"] + p["b"][0]))(params)
    assert tree_util.tree_structure(gradient) == tree_util.tree_structure(params)
    np.testing.assert_array_equal(gradient["b"][0], [2.0, 2.0, 2.0])


def test_reverse_mode_through_scan_and_cond():
    def power(x, n=3):
        def step(carry, _):
            grown = lax.cond(carry > 0, lambda c: c * x, lambda c: c, carry)
            return grown, grown

        return lax.scan(step, 1.0, None, length=n)[0]

    np.testing.assert_allclose(adlib.grad(power)(2.0), 12.0)


def test_while_loop_has_a_forward_mode_and_explains_the_missing_reverse():
    def double_until_large(x):
        return lax.while_loop(lambda y: y < 10, lambda y: 2 * y, x)

    assert adlib.jvp(double_until_large, (3.0,), (1.0,))[1] == 4.0
    with pytest.raises(ValueError, match="while_loop"):
        adlib.grad(double_until_large)(3.0)


def test_custom_rules_win():
    @adlib.custom_vjp
    def pass_gradient(x):
        return jnp.round(x)

    pass_gradient.defvjp(lambda x: (jnp.round(x), None), lambda _, ct: (ct,))
    assert adlib.grad(pass_gradient)(2.2) == 1.0

    @adlib.custom_jvp
    def log1pexp(x):
        return jnp.log(1.0 + jnp.exp(x))

    log1pexp.defjvps(lambda t, _, x: (1 - 1 / (1 + jnp.exp(x))) * t)
    assert adlib.grad(log1pexp)(100.0) == 1.0


def test_a_jaxpr_prints_in_the_known_form():
    jaxpr = adlib.make_jaxpr(lambda x: jnp.sin(x) * 2.0)(1.0)
    assert str(jaxpr) == (
        "{ lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = mul b 2.0:f32[] in (c,) }"
    )


def test_holomorphic_gradient():
    derivative = adlib.grad(jnp.exp, holomorphic=True)(1j)
    np.testing.assert_allclose(derivative, np.exp(1j), rtol=1e-6)


def test_published_random_bits():
    first, second = random.split(random.PRNGKey(0))
    np.testing.assert_array_equal(first, [1797259609, 2579123966])
    np.testing.assert_array_equal(second, [928981903, 3453687069])


def test_checkpoint_changes_no_number():
    x = jnp.arange(4.0)
    plain, saved = (
        adlib.grad(lambda x, f=f: jnp.sum(f(f(x))))(x) for f in (bent, adlib.checkpoint(bent))
    )
    np.testing.assert_allclose(plain, saved, rtol=1e-6)


def test_an_exception_inside_a_transform_leaves_the_engine_as_it_was():
    def broken(x):
        raise RuntimeError("from user code")

    for transform in (adlib.grad, adlib.jit, adlib.vmap, adlib.make_jaxpr):
        with pytest.raises(RuntimeError, match="from user code"):
            transform(broken)(jnp.ones(2) if transform is adlib.vmap else 1.0)
    np.testing.assert_allclose(adlib.grad(bent)(1.5), bent_slope(1.5), rtol=1e-5)
