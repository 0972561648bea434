"""Stax: neural networks as pairs of functions.

A layer is a pair ``(init_fun, apply_fun)``:

- ``init_fun(rng, input_shape)`` → ``(output_shape, params)``,
- ``apply_fun(params, inputs, **kwargs)`` → outputs; ``rng=`` is passed down to layers that
  draw, such as ``Dropout``.

``serial`` and ``parallel`` make layers of layers. Layer makers have capital names (``Dense``,
``Conv``); layers without arguments are pairs themselves (``Relu``, ``Flatten``).
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from adlib import lax, random
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.nn import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    selu,
    sigmoid,
    softmax,
    softplus,
    standardize,
)
from adlib.nn.initializers import glorot_normal, normal, ones, zeros

# names of the first versions
glorot = glorot_normal
randn = normal
logsoftmax = log_softmax

Layer = tuple[Callable[..., Any], Callable[..., Any]]

_NORMAL = normal()
_NEAR_ZERO = normal(1e-6)
_GLOROT = glorot_normal()

# ---------------------------------------------------------------- dense, convolutions


def Dense(out_dim: int, W_init: Any = _GLOROT, b_init: Any = _NORMAL) -> Layer:
    """A layer ``x @ W + b`` with ``out_dim`` outputs.

    Args:
      out_dim: size of the last axis of the result.
      W_init, b_init: initializers.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.Dense(3)
    >>> out_shape, (W, b) = init_fun(random.PRNGKey(0), (-1, 5))
    >>> out_shape, W.shape, b.shape
    ((-1, 3), (5, 3), (3,))
    """

    def init_fun(rng: Any, input_shape: Sequence[int]) -> Any:
        for_weights, for_bias = random.split(rng)
        weights = W_init(for_weights, (input_shape[-1], out_dim))
        return (*input_shape[:-1], out_dim), (weights, b_init(for_bias, (out_dim,)))

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        weights, bias = params
        return jnp.dot(inputs, weights) + bias

    return init_fun, apply_fun


def _window(
    spec: str, filter_shape: Sequence[int], strides: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Window and strides as tuples; strides are ones by default."""
    size = tuple(filter_shape)
    spatial = len(spec) - 2
    if len(size) != spatial:
        raise ValueError(
            f"a window of {spatial} sizes is wanted for arrays laid out as {spec!r}, got {size}."
            f"{here()}"
        )
    return size, tuple(strides) if strides else (1,) * spatial


def _convolution(
    apply: Callable[..., Any],
    shape_of: Callable[..., Any],
    dimension_numbers: Any,
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Any,
    padding: Any,
    W_init: Any,
    b_init: Any,
) -> Layer:
    """What convolutions and transposed ones share: parameters and their shapes."""
    lhs_spec, rhs_spec, out_spec = dimension_numbers
    size, steps = _window(rhs_spec, filter_shape, strides)
    weights_init = W_init or glorot_normal(rhs_spec.index("I"), rhs_spec.index("O"))

    def init_fun(rng: Any, input_shape: Sequence[int]) -> Any:
        sizes = iter(size)
        in_chan = input_shape[lhs_spec.index("C")]
        kernel_shape = tuple(
            out_chan if c == "O" else in_chan if c == "I" else next(sizes) for c in rhs_spec
        )
        output_shape = shape_of(input_shape, kernel_shape, steps, padding, dimension_numbers)
        bias_shape = tuple(out_chan if c == "C" else 1 for c in out_spec)
        for_weights, for_bias = random.split(rng)
        params = weights_init(for_weights, kernel_shape), b_init(for_bias, bias_shape)
        return output_shape, params

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        weights, bias = params
        out = apply(inputs, weights, steps, padding, dimension_numbers=dimension_numbers)
        return out + bias

    return init_fun, apply_fun


def GeneralConv(
    dimension_numbers: Any,
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Any = None,
    padding: Any = "VALID",
    W_init: Any = None,
    b_init: Any = _NEAR_ZERO,
) -> Layer:
    """A convolution for any layout.

    Args:
      dimension_numbers: layouts of inputs, windows and outputs, as ``("NHWC", "HWIO", "NHWC")``.
      out_chan: number of output channels.
      filter_shape: window size along the spatial axes.
      strides: steps of the window; ones by default.
      padding: ``"VALID"``, ``"SAME"`` or (low, high) pairs.
      W_init, b_init: initializers; Glorot's normal one, and near 0.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.Conv(8, (3, 3), padding="SAME")
    >>> init_fun(random.PRNGKey(0), (4, 28, 28, 1))[0]
    (4, 28, 28, 8)
    """
    return _convolution(
        lax.conv_general_dilated,
        lax.conv_general_shape_tuple,
        dimension_numbers,
        out_chan,
        filter_shape,
        strides,
        padding,
        W_init,
        b_init,
    )


def _general(layer: Any, dimension_numbers: Any, call: str, given: str, made_of_it: str) -> Any:
    """A general convolution whose axes are in the usual order, with an example for its text."""
    made = functools.partial(layer, dimension_numbers)
    made.__doc__ = f"""``{layer.__name__}`` of arrays with the axes {dimension_numbers[0]}.

    Args:
      out_chan, filter_shape, strides, padding, W_init, b_init: as for ``{layer.__name__}``.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.{call}
    >>> init_fun(random.key(0), {given})[0]
    {made_of_it}
    """
    return made


_NHWC = ("NHWC", "HWIO", "NHWC")
Conv = _general(GeneralConv, _NHWC, "Conv(4, (3, 3))", "(1, 5, 5, 2)", "(1, 3, 3, 4)")


def GeneralConvTranspose(
    dimension_numbers: Any,
    out_chan: int,
    filter_shape: Sequence[int],
    strides: Any = None,
    padding: Any = "VALID",
    W_init: Any = None,
    b_init: Any = _NEAR_ZERO,
) -> Layer:
    """A transposed convolution for any layout. Args as for ``GeneralConv``.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.ConvTranspose(8, (3, 3), (2, 2), "SAME")
    >>> init_fun(random.PRNGKey(0), (4, 14, 14, 1))[0]
    (4, 28, 28, 8)
    """
    return _convolution(
        lax.conv_transpose,
        lax.conv_transpose_shape_tuple,
        dimension_numbers,
        out_chan,
        filter_shape,
        strides,
        padding,
        W_init,
        b_init,
    )


_NHC = ("NHC", "HIO", "NHC")
Conv1DTranspose = _general(
    GeneralConvTranspose, _NHC, "Conv1DTranspose(4, (2,), (2,))", "(1, 5, 2)", "(1, 10, 4)"
)
ConvTranspose = _general(
    GeneralConvTranspose, _NHWC, "ConvTranspose(4, (3, 3))", "(1, 5, 5, 2)", "(1, 7, 7, 4)"
)


# -------------------------------------------------------------- elementwise, normalization


def elementwise(fun: Callable[..., Any], **fun_kwargs: Any) -> Layer:
    """A layer without parameters that applies ``fun(x, **fun_kwargs)``.

    >>> import adlib.numpy as jnp
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.elementwise(jnp.sin)
    >>> apply_fun((), jnp.zeros(2))
    Array([0., 0.], dtype=float32)
    """

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return fun(inputs, **fun_kwargs)

    return _keep_shape, apply_fun


def _keep_shape(rng: Any, input_shape: Any) -> Any:
    """The ``init_fun`` of layers without parameters that leave shapes alone."""
    return input_shape, ()


Tanh = elementwise(jnp.tanh)
Relu = elementwise(relu)
Exp = elementwise(jnp.exp)
LogSoftmax = elementwise(log_softmax, axis=-1)
Softmax = elementwise(softmax, axis=-1)
Softplus = elementwise(softplus)
Sigmoid = elementwise(sigmoid)
Elu = elementwise(elu)
LeakyRelu = elementwise(leaky_relu)
Selu = elementwise(selu)
Gelu = elementwise(gelu)


def BatchNorm(
    axis: Any = (0, 1, 2),
    epsilon: float = 1e-5,
    center: bool = True,
    scale: bool = True,
    beta_init: Any = zeros,
    gamma_init: Any = ones,
) -> Layer:
    """A layer that standardizes along ``axis``, then scales and shifts by its parameters.

    Args:
      axis: axes over which mean and variance are taken (of the batch that is given).
      epsilon: added to the variance.
      center, scale: whether there is a shift beta, a scale gamma.
      beta_init, gamma_init: initializers.

    Source: Ioffe and Szegedy, "Batch Normalization" (2015).

    >>> import adlib.numpy as jnp
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.BatchNorm(axis=0)
    >>> apply_fun((jnp.zeros(1), jnp.ones(1)), jnp.array([[1.0], [3.0]])).round(3)
    Array([[-1.],
           [ 1.]], dtype=float32)
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)

    def init_fun(rng: Any, input_shape: Sequence[int]) -> Any:
        shape = tuple(n for i, n in enumerate(input_shape) if i not in axes)
        for_beta, for_gamma = random.split(rng)
        beta = beta_init(for_beta, shape) if center else ()
        gamma = gamma_init(for_gamma, shape) if scale else ()
        return input_shape, (beta, gamma)

    def apply_fun(params: Any, x: Any, **kwargs: Any) -> Any:
        beta, gamma = params
        spread = tuple(None if i in axes else slice(None) for i in range(jnp.ndim(x)))
        out = standardize(x, axes, epsilon=epsilon)
        if scale:
            out = gamma[spread] * out
        return out + beta[spread] if center else out

    return init_fun, apply_fun


# --------------------------------------------------------------------------- pooling


def _pooling(
    reducer: Callable[..., Any],
    start: float,
    mean: bool,
    window_shape: Sequence[int],
    strides: Any,
    padding: str,
    spec: str | None,
) -> Layer:
    size = tuple(window_shape)
    steps = tuple(strides) if strides else (1,) * len(size)
    if spec is None:
        window, moves = (1, *size, 1), (1, *steps, 1)
    else:
        sizes, step = iter(size), iter(steps)
        window = tuple(1 if c in "NC" else next(sizes) for c in spec)
        moves = tuple(1 if c in "NC" else next(step) for c in spec)

    def init_fun(rng: Any, input_shape: Sequence[int]) -> Any:
        rank = len(input_shape)
        dilation = (1,) * rank
        pads = lax.padtype_to_pads(input_shape, window, moves, padding)
        return lax.reduce_window_shape_tuple(
            tuple(input_shape), window, moves, pads, dilation, dilation
        ), ()

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        out = lax.reduce_window(inputs, start, reducer, window, moves, padding)
        if not mean:
            return out
        # along the edges of padded inputs fewer elements are in the window
        inside = jnp.ones(inputs.shape[1:-1] if spec is None else inputs.shape, inputs.dtype)
        if spec is None:
            inside = inside[None, ..., None]
        return out / lax.reduce_window(inside, 0.0, lax.add, window, moves, padding)

    return init_fun, apply_fun


def MaxPool(
    window_shape: Sequence[int],
    strides: Any = None,
    padding: str = "VALID",
    spec: str | None = None,
) -> Layer:
    """A layer of the greatest element in each window.

    Args:
      window_shape: size of the window along the spatial axes.
      strides: steps of the window; ones by default.
      padding: ``"VALID"`` or ``"SAME"``.
      spec: layout of the inputs with N and C among its letters; ``"NHWC"`` and its likes for
        other ranks by default.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.MaxPool((2, 2))
    >>> init_fun(random.PRNGKey(0), (4, 28, 28, 8))[0]
    (4, 27, 27, 8)
    """
    return _pooling(lax.max, -math.inf, False, window_shape, strides, padding, spec)


def SumPool(
    window_shape: Sequence[int],
    strides: Any = None,
    padding: str = "VALID",
    spec: str | None = None,
) -> Layer:
    """A layer of the sum over each window. Args as for ``MaxPool``.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.SumPool((2, 2), (2, 2))
    >>> init_fun(random.PRNGKey(0), (4, 28, 28, 8))[0]
    (4, 14, 14, 8)
    """
    return _pooling(lax.add, 0.0, False, window_shape, strides, padding, spec)


def AvgPool(
    window_shape: Sequence[int],
    strides: Any = None,
    padding: str = "VALID",
    spec: str | None = None,
) -> Layer:
    """A layer of the mean over each window, padding not counted. Args as for ``MaxPool``.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.AvgPool((2, 2), (2, 2))
    >>> init_fun(random.PRNGKey(0), (4, 28, 28, 8))[0]
    (4, 14, 14, 8)
    """
    return _pooling(lax.add, 0.0, True, window_shape, strides, padding, spec)


# ------------------------------------------------------------- plumbing and randomness


def _flatten() -> Layer:
    def init_fun(rng: Any, input_shape: Sequence[int]) -> Any:
        return (input_shape[0], math.prod(input_shape[1:])), ()

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return jnp.reshape(inputs, (inputs.shape[0], -1))

    return init_fun, apply_fun


def _fan_in_sum() -> Layer:
    def init_fun(rng: Any, input_shape: Any) -> Any:
        return input_shape[0], ()

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return functools.reduce(operator.add, inputs)

    return init_fun, apply_fun


Flatten = _flatten()
Identity = elementwise(lambda x: x)
FanInSum = _fan_in_sum()


def FanOut(num: int) -> Layer:
    """A layer that gives its input ``num`` times.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.FanOut(2)
    >>> init_fun(random.PRNGKey(0), (4, 3))[0]
    [(4, 3), (4, 3)]
    """

    def init_fun(rng: Any, input_shape: Any) -> Any:
        return [input_shape] * num, ()

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return [inputs] * num

    return init_fun, apply_fun


def FanInConcat(axis: int = -1) -> Layer:
    """A layer that joins its inputs along ``axis``.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.FanInConcat()
    >>> init_fun(random.PRNGKey(0), [(4, 3), (4, 5)])[0]
    (4, 8)
    """

    def init_fun(rng: Any, input_shape: Sequence[Sequence[int]]) -> Any:
        first = list(input_shape[0])
        first[axis] = sum(shape[axis] for shape in input_shape)
        return tuple(first), ()

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return jnp.concatenate(inputs, axis)

    return init_fun, apply_fun


def Dropout(rate: float, mode: str = "train") -> Layer:
    """A layer that keeps each element with probability ``rate``, scaled by ``1/rate``.

    Args:
      rate: probability of keeping an element.
      mode: ``"train"``; any other makes the layer the identity.

    In training ``apply_fun`` needs ``rng=`` and raises ValueError without.

    >>> import adlib.numpy as jnp
    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.Dropout(0.5)
    >>> apply_fun((), jnp.ones(4), rng=random.PRNGKey(0))
    Array([0., 0., 2., 2.], dtype=float32)
    """

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        rng = kwargs.get("rng")
        if rng is None:
            raise ValueError(
                "Dropout layer requires apply_fun to be called with a PRNG key argument: instead "
                f"of `apply_fun(params, inputs)`, call it like `apply_fun(params, inputs, rng)` "
                f"with rng=key by name.{here()}"
            )
        if mode != "train":
            return inputs
        keep = random.bernoulli(rng, rate, inputs.shape)
        return jnp.where(keep, inputs / rate, 0)

    return _keep_shape, apply_fun


# ------------------------------------------------------------------------ combinators


def _rngs(kwargs: dict[str, Any], count: int) -> Any:
    rng = kwargs.pop("rng", None)
    return random.split(rng, count) if rng is not None else (None,) * count


def serial(*layers: Layer) -> Layer:
    """A layer that applies layers one after the other.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.serial(stax.Dense(4), stax.Relu, stax.Dense(2))
    >>> out_shape, params = init_fun(random.PRNGKey(0), (-1, 3))
    >>> out_shape, len(params)
    ((-1, 2), 3)
    """
    init_funs = [init for init, _ in layers]
    apply_funs = [apply for _, apply in layers]

    def init_fun(rng: Any, input_shape: Any) -> Any:
        params = []
        for init in init_funs:
            rng, layer_rng = random.split(rng)
            input_shape, param = init(layer_rng, input_shape)
            params.append(param)
        return input_shape, params

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        rngs = _rngs(kwargs, len(layers))
        for apply, param, rng in zip(apply_funs, params, rngs, strict=False):
            inputs = apply(param, inputs, rng=rng, **kwargs)
        return inputs

    return init_fun, apply_fun


def parallel(*layers: Layer) -> Layer:
    """A layer that applies each of several layers to its own input; for use after ``FanOut``.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.parallel(stax.Dense(2), stax.Identity)
    >>> init_fun(random.PRNGKey(0), [(4, 3), (4, 3)])[0]
    ((4, 2), (4, 3))
    """
    init_funs = [init for init, _ in layers]
    apply_funs = [apply for _, apply in layers]

    def init_fun(rng: Any, input_shape: Any) -> Any:
        rngs = random.split(rng, len(layers))
        pairs = [
            init(r, shape) for init, r, shape in zip(init_funs, rngs, input_shape, strict=True)
        ]
        return tuple(shape for shape, _ in pairs), tuple(param for _, param in pairs)

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        rngs = _rngs(kwargs, len(layers))
        return [
            apply(param, x, rng=r, **kwargs)
            for apply, param, x, r in zip(apply_funs, params, inputs, rngs, strict=False)
        ]

    return init_fun, apply_fun


def shape_dependent(make_layer: Callable[[Any], Layer]) -> Layer:
    """A layer that is made only when the input's shape is known: ``make_layer(shape)``.

    >>> from adlib import random
    >>> from adlib.example_libraries import stax
    >>> init_fun, apply_fun = stax.shape_dependent(lambda shape: stax.Dense(shape[-1]))
    >>> init_fun(random.PRNGKey(0), (4, 3))[0]
    (4, 3)
    """

    def init_fun(rng: Any, input_shape: Any) -> Any:
        return make_layer(input_shape)[0](rng, input_shape)

    def apply_fun(params: Any, inputs: Any, **kwargs: Any) -> Any:
        return make_layer(inputs.shape)[1](params, inputs, **kwargs)

    return init_fun, apply_fun
