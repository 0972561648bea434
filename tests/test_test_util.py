"""check_grads finds wrong derivatives in either mode, and says where."""

from functools import partial

import pytest

import adlib
import adlib.numpy as jnp
from adlib.test_util import check_grads, check_jvp, check_vjp

X = jnp.array([0.3, -1.2, 2.0])

RIGHT = {
    "elementwise": (jnp.sin, (X,)),
    "scalar": (lambda x: jnp.tanh(x) ** 2, (0.5,)),
    "several": (lambda x, y: jnp.dot(x, y) * jnp.exp(x), (X, 2 * X)),
    "trees": (lambda p: {"y": p["w"] @ p["x"]}, ({"w": jnp.ones((2, 3)), "x": X},)),
    "complex": (lambda z: z**2 * jnp.conj(z), (jnp.array([1 + 2j, 0.5 - 1j]),)),
    "complex-to-real": (lambda z: jnp.abs(z), (jnp.array([1 + 2j, 0.5 - 1j]),)),
    "real-to-complex": (lambda x: jnp.exp(1j * x), (X,)),
    "linear": (lambda x: 3 * x, (X,)),
    "constant": (lambda x: jnp.ones(2), (X,)),
    "integer-result": (lambda x: (x, jnp.argmax(x)), (X,)),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("order", [1, 2])
def test_right_derivatives_pass(name, order):
    f, args = RIGHT[name]
    check_grads(f, args, order)


def test_double_precision_and_third_order():
    with adlib.enable_x64(True):
        check_grads(lambda x: jnp.sin(x) * jnp.exp(-x), (jnp.array([0.3, 1.2]),), order=3)


@adlib.custom_jvp
def wrong_rule(x):
    return jnp.sin(x)


wrong_rule.defjvps(lambda g, ans, x: 2 * g)


@adlib.custom_vjp
def wrong_backward(x):
    return jnp.sin(x)


wrong_backward.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g,))


@adlib.custom_jvp
def wrong_second(x):
    return jnp.sin(x)


wrong_second.defjvps(lambda g, ans, x: g * adlib.lax.stop_gradient(jnp.cos(x)))


def test_a_wrong_jvp_rule_is_found():
    message = (
        r"JVP: the tangent does not match finite differences: 3 of 3 elements differ by more than "
        r"atol=0.002 \+ rtol=0.002 \* \|expected\|.\n  Worst element \[\d\]: autodiff gives"
    )
    with pytest.raises(AssertionError, match=message) as error:
        check_grads(wrong_rule, (X,), order=1)
    assert "check that rule first" in str(error.value)
    with pytest.raises(AssertionError, match="VJP: the cotangent, projected on a random direction"):
        check_grads(wrong_rule, (X,), order=1, modes=["rev"])


def test_a_wrong_vjp_rule_is_found():
    with pytest.raises(AssertionError, match="VJP: the cotangent"):
        check_grads(wrong_backward, (X,), order=1, modes="rev")


def test_a_wrong_second_derivative_is_found():
    check_grads(wrong_second, (X,), order=1)
    with pytest.raises(AssertionError, match=r"JVP of the JVP: the tangent .* in result\[1\]"):
        check_grads(wrong_second, (X,), order=2)
    with pytest.raises(AssertionError, match="of the VJP: "):
        check_grads(wrong_second, (X,), order=2, modes=("rev",))


def test_nan_is_a_mismatch():
    with pytest.raises(AssertionError, match="autodiff gives nan"):
        check_grads(lambda x: jnp.where(x > 0, x, jnp.sqrt(x * 0.0)), (X,), order=1)


def test_tolerances_and_steps():
    steep = lambda x: jnp.sin(40 * x)  # noqa: E731
    with pytest.raises(AssertionError, match="pass wider atol, rtol, or another eps"):
        check_grads(steep, (X,), order=1, eps=0.1)
    check_grads(steep, (X,), order=1, eps=1e-3, rtol=1e-2, atol=1e-2)


def test_one_product_alone():
    check_jvp(jnp.sin, partial(adlib.jvp, jnp.sin), (X,))
    check_vjp(jnp.sin, partial(adlib.vjp, jnp.sin), (X,))
    with pytest.raises(AssertionError, match="^my layer JVP: the tangent"):
        check_jvp(jnp.sin, lambda p, t: (jnp.sin(*p), t[0]), (X,), err_msg="my layer")
    with pytest.raises(AssertionError, match="value that comes with the derivative does not match"):
        check_jvp(jnp.sin, lambda p, t: (p[0], t[0]), (X,))
    with pytest.raises(AssertionError, match="has the structure"):
        check_jvp(jnp.sin, lambda p, t: ((p[0], p[0]), t[0]), (X,))
    with pytest.raises(AssertionError, match=r"has shape \(\), but the function itself gives"):
        check_vjp(jnp.sin, lambda x: (1.0, lambda ct: (ct,)), (X,))


def test_mistakes_are_explained():
    with pytest.raises(TypeError, match=r"args\[0\] has dtype int32, and derivatives are for"):
        check_grads(jnp.sin, (1,), order=1)
    with pytest.raises(ValueError, match="modes must be 'fwd' and/or 'rev', got"):
        check_grads(jnp.sin, (X,), order=1, modes=["forward"])
