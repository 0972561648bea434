"""Activation functions: of one array, element by element (glu halves an axis)."""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.api.compilation import jit
from adlib.base.source import here
from adlib.control.custom_jvp import custom_jvp
from adlib.core.array import Array
from adlib.numpy.promotion import convert, promote_inexact, to_arrays


@jit
def identity(x: Any) -> Array:
    """``x`` as an array.

    >>> from adlib import nn
    >>> nn.identity(2.0)
    Array(2., dtype=float32, weak_type=True)
    """
    return to_arrays("identity", x)[0]


@custom_jvp
@jit
def relu(x: Any) -> Array:
    """``max(x, 0)``; its derivative at 0 is taken as 0.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.relu(jnp.array([-1.0, 0.0, 2.0]))
    Array([0., 0., 2.], dtype=float32)
    """
    return jnp.maximum(x, 0)  # type: ignore[no-any-return]


relu.defjvps(lambda g, ans, x: lax.select(x > 0, g, lax.full_like(g, 0)))


@custom_jvp
@jit
def relu6(x: Any) -> Array:
    """``min(max(x, 0), 6)``; its derivative at 0 and at 6 is taken as 0.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.relu6(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([0. , 0.5, 6. ], dtype=float32)
    """
    return jnp.minimum(jnp.maximum(x, 0), 6.0)  # type: ignore[no-any-return]


relu6.defjvps(lambda g, ans, x: lax.select((x > 0) & (x < 6), g, lax.full_like(g, 0)))


def sigmoid(x: Any) -> Array:
    """``1 / (1 + exp(-x))``.

    >>> from adlib import nn
    >>> nn.sigmoid(0.0)
    Array(0.5, dtype=float32, weak_type=True)
    """
    return lax.logistic(_float("sigmoid", x))  # type: ignore[no-any-return]


def _float(name: str, x: Any) -> Array:
    """``x`` as a floating-point array."""
    return promote_inexact(name, x)[0]


def _smooth(name: str, x: Any) -> Array:
    """As ``_float``; integers become weakly typed, as they do beside a Python float."""
    (x,) = to_arrays(name, x)
    found = _float(name, x)
    return found if found.dtype == x.dtype else convert(found, found.dtype, True)


@jit
def softplus(x: Any) -> Array:
    """``log(1 + exp(x))``: a smooth ``relu``.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.softplus(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([0.1269, 0.9741, 7.0009], dtype=float32)
    """
    return jnp.logaddexp(_float("softplus", x), 0.0)  # type: ignore[no-any-return]


@jit
def sparse_plus(x: Any) -> Array:
    """0 below -1, ``x`` above 1, ``(x + 1)**2 / 4`` between.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.sparse_plus(jnp.array([-2.0, 0.0, 2.0]))
    Array([0.  , 0.25, 2.  ], dtype=float32)
    """
    (x,) = to_arrays("sparse_plus", x)
    return jnp.where(x <= -1.0, 0.0, jnp.where(x >= 1.0, x, (x + 1.0) ** 2 / 4))  # type: ignore[no-any-return]


@jit
def sparse_sigmoid(x: Any) -> Array:
    """The derivative of ``sparse_plus``: 0 below -1, 1 above 1, linear between.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.sparse_sigmoid(jnp.array([-2.0, 0.0, 2.0]))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    (x,) = to_arrays("sparse_sigmoid", x)
    return 0.5 * jnp.clip(x + 1.0, 0.0, 2.0)  # type: ignore[no-any-return]


@jit
def squareplus(x: Any, b: Any = 4) -> Array:
    """``(x + sqrt(x**2 + b)) / 2``.

    Source: Barron, "Squareplus: A Softplus-Like Algebraic Rectifier" (2021).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.squareplus(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([0.4142, 1.2808, 7.1401], dtype=float32)
    """
    x = _float("squareplus", x)
    return (x + jnp.sqrt(jnp.square(x) + b)) / 2  # type: ignore[no-any-return]


@jit
def soft_sign(x: Any) -> Array:
    """``x / (abs(x) + 1)``.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.soft_sign(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-0.6667,  0.3333,  0.875 ], dtype=float32)
    """
    (x,) = to_arrays("soft_sign", x)
    return x / (jnp.abs(x) + 1)  # type: ignore[no-any-return]


@jit
def silu(x: Any) -> Array:
    """``x * sigmoid(x)``, also called swish.

    Source: Elfwing, Uchibe, Doya, "Sigmoid-Weighted Linear Units" (2018).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.silu(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-0.2384,  0.3112,  6.9936], dtype=float32)
    """
    x = _float("silu", x)
    return x * sigmoid(x)


swish = silu


@jit
def mish(x: Any) -> Array:
    """``x * tanh(softplus(x))``. Source: Misra, "Mish" (2019).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.mish(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-0.2525,  0.3752,  7.    ], dtype=float32)
    """
    x = _float("mish", x)
    return x * jnp.tanh(softplus(x))  # type: ignore[no-any-return]


@jit
def log_sigmoid(x: Any) -> Array:
    """``log(sigmoid(x))``, accurate for very negative ``x``.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.log_sigmoid(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-2.1269e+00, -4.7410e-01, -9.0000e-04], dtype=float32)
    """
    return -softplus(-_float("log_sigmoid", x))  # type: ignore[no-any-return]


@jit
def elu(x: Any, alpha: Any = 1.0) -> Array:
    """``x`` where positive, else ``alpha * (exp(x) - 1)``.

    Source: Clevert, Unterthiner, Hochreiter, "Exponential Linear Units" (2016).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.elu(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-0.8647,  0.5   ,  7.    ], dtype=float32)
    """
    x = _smooth("elu", x)
    # expm1 sees no large numbers, whose overflow would come back as NaN in the derivative
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.where(x > 0, 0.0, x)))  # type: ignore[no-any-return]


@jit
def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Array:
    """``x`` where it is at least 0, else ``negative_slope * x``.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.leaky_relu(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-0.02,  0.5 ,  7.  ], dtype=float32)
    """
    (x,) = to_arrays("leaky_relu", x)
    return jnp.where(x >= 0, x, negative_slope * x)  # type: ignore[no-any-return]


@jit
def hard_tanh(x: Any) -> Array:
    """``x`` held between -1 and 1.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.hard_tanh(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-1. ,  0.5,  1. ], dtype=float32)
    """
    (x,) = to_arrays("hard_tanh", x)
    return jnp.where(x > 1, 1, jnp.where(x < -1, -1, x))  # type: ignore[no-any-return]


@jit
def celu(x: Any, alpha: Any = 1.0) -> Array:
    """``max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)``: a continuously differentiable elu.

    Source: Barron, "Continuously Differentiable Exponential Linear Units" (2017).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.celu(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-0.8647,  0.5   ,  7.    ], dtype=float32)
    """
    x = _smooth("celu", x)
    return jnp.maximum(x, 0.0) + alpha * jnp.expm1(jnp.minimum(x, 0.0) / alpha)  # type: ignore[no-any-return]


@jit
def selu(x: Any) -> Array:
    """``elu`` with the scales that keep mean 0 and variance 1 through layers.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.selu(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-1.5202,  0.5254,  7.3549], dtype=float32)
    """
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def gelu(x: Any, approximate: bool = True) -> Array:
    """``x`` times the normal distribution function at ``x``.

    Args:
      x: array.
      approximate: by tanh of a cubic (default) instead of erf.

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016).

    >>> from adlib import nn
    >>> nn.gelu(1.0)
    Array(0.84119, dtype=float32)
    """
    x = _float("gelu", x)
    x = lax.convert_element_type(x, x.aval.dtype)  # no longer weakly typed
    if approximate:
        inner = float(np.sqrt(2 / np.pi)) * (x + 0.044715 * x**3)
        return x * (0.5 * (1.0 + jnp.tanh(inner)))  # type: ignore[no-any-return]
    return 0.5 * x * lax.erfc(-x * float(np.sqrt(0.5)))  # type: ignore[no-any-return]


def glu(x: Any, axis: int = -1) -> Array:
    """The first half along ``axis`` times the sigmoid of the second half.

    Raises ValueError where the axis has an odd size.

    Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks" (2017).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.glu(jnp.array([1.0, 2.0, 0.0, 0.0]))
    Array([0.5, 1. ], dtype=float32)
    """
    value = _float("glu", x)
    size = value.aval.shape[axis]
    if size % 2:
        raise ValueError(f"glu: axis size must be divisible by 2, got {size} along {axis}.{here()}")
    return _glu(axis % value.aval.ndim)(value)  # type: ignore[no-any-return]


_glus: dict[int, Any] = {}


def _glu(axis: int) -> Any:
    if axis not in _glus:

        def glu(x: Array) -> Array:
            first, second = jnp.split(x, 2, axis)
            return first * sigmoid(second)  # type: ignore[no-any-return]

        _glus[axis] = jit(glu)
    return _glus[axis]


@jit
def hard_sigmoid(x: Any) -> Array:
    """``relu6(x + 3) / 6``.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.hard_sigmoid(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([0.1667, 0.5833, 1.    ], dtype=float32)
    """
    (x,) = to_arrays("hard_sigmoid", x)
    return relu6(x + 3.0) / 6.0  # type: ignore[no-any-return]


@jit
def hard_silu(x: Any) -> Array:
    """``x * hard_sigmoid(x)``, also called hard swish.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.hard_silu(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-0.3333,  0.2917,  7.    ], dtype=float32)
    """
    x = _smooth("hard_silu", x)
    return x * hard_sigmoid(x)  # type: ignore[no-any-return]


hard_swish = hard_silu


def tanh(x: Any, /) -> Array:
    """Hyperbolic tangent, element by element.

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.tanh(jnp.array([-2.0, 0.5, 7.0])).round(4)
    Array([-0.964 ,  0.4621,  1.    ], dtype=float32)
    """
    return jnp.tanh(x)  # type: ignore[no-any-return]


@custom_jvp
@jit
def log1mexp(x: Any) -> Array:
    """``log(1 - exp(-x))`` for positive ``x``, without cancellation.

    Source: Mächler, "Accurately computing log(1 - exp(-|a|))" (2012).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> nn.log1mexp(jnp.array([0.5, 5.0])).round(4)
    Array([-0.9328, -0.0068], dtype=float32)
    """
    x = _float("log1mexp", x)
    return jnp.where(x < float(np.log(2)), jnp.log(-jnp.expm1(-x)), jnp.log1p(-jnp.exp(-x)))  # type: ignore[no-any-return]


log1mexp.defjvps(lambda g, ans, x: g / jnp.expm1(x))
