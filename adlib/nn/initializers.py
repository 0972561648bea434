"""Initializers: makers of functions ``init(key, shape, dtype)`` that draw the first weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from adlib import numpy as jnp
from adlib import random
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array

Axes = int | Sequence[int]


class Initializer(Protocol):
    """A function of a key, a shape and a dtype that gives an array of that shape and dtype.

    >>> import adlib, adlib.numpy as jnp
    >>> from adlib.nn.initializers import Initializer
    >>> def twos(key, shape, dtype=jnp.float32, out_sharding=None):
    ...     return jnp.full(shape, 2, dtype)
    >>> init: Initializer = twos
    >>> init(None, (3,))
    Array([2., 2., 2.], dtype=float32)
    """

    def __call__(self, key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        """Draw an array."""
        ...


def _dtype(given: Any, default: Any = None) -> Any:
    wanted = given if given is not None else default
    return dtypes.canonicalize_dtype(np.float64 if wanted is None else wanted)


def zeros(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
    """Zeros; the key is not used.

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> initializers.zeros(random.key(0), (2,))
    Array([0., 0.], dtype=float32)
    """
    return jnp.zeros(shape, _dtype(dtype))  # type: ignore[no-any-return]


def ones(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
    """Ones; the key is not used.

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> initializers.ones(random.key(0), (2,))
    Array([1., 1.], dtype=float32)
    """
    return jnp.ones(shape, _dtype(dtype))  # type: ignore[no-any-return]


def constant(value: Any, dtype: Any = None) -> Initializer:
    """An initializer that fills the array with ``value``.

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> initializers.constant(0.5)(random.key(0), (2,))
    Array([0.5, 0.5], dtype=float32)
    """
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        return jnp.full(shape, value, dtype=_dtype(dtype, default))  # type: ignore[no-any-return]

    return init


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer that draws uniformly from [0, scale).

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> initializers.uniform(0.1)(random.key(0), (2,)).round(4)
    Array([0.0948, 0.0979], dtype=float32)
    """
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        chosen = _dtype(dtype, default)
        return random.uniform(key, shape, chosen) * jnp.asarray(scale, chosen)  # type: ignore[no-any-return, operator]

    return init


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """An initializer that draws normally with mean 0 and deviation ``stddev``.

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> initializers.normal(0.1)(random.key(0), (2,)).round(4)
    Array([0.1623, 0.2025], dtype=float32)
    """
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        chosen = _dtype(dtype, default)
        return random.normal(key, shape, chosen) * jnp.asarray(stddev, chosen)  # type: ignore[no-any-return, operator]

    return init


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """An initializer that draws standard normals within (lower, upper), times ``stddev``.

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> initializers.truncated_normal(0.1)(random.key(0), (2,)).round(4)
    Array([0.1456, 0.1715], dtype=float32)
    """
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        chosen = _dtype(dtype, default)
        draws = random.truncated_normal(key, lower, upper, shape, chosen)
        return draws * jnp.asarray(stddev, chosen)  # type: ignore[no-any-return, operator]

    return init


# ---------------------------------------------------------------- variance scaling


def _tuple(axes: Axes) -> tuple[int, ...]:
    return (axes,) if isinstance(axes, int) else tuple(axes)


def _fans(
    shape: Sequence[int], in_axis: Axes, out_axis: Axes, batch_axis: Axes
) -> tuple[float, float]:
    """How many inputs a unit has, and how many outputs: the axes left over count for both."""
    if len(shape) <= 1:
        raise ValueError(
            f"Can't compute input and output sizes of a {len(shape)}-dimensional weights tensor. "
            f"Must be at least 2D.{here()}\n  Repair: initialize biases with "
            "initializers.zeros or normal()."
        )
    sizes = [math.prod(shape[a] for a in _tuple(axes)) for axes in (in_axis, out_axis, batch_axis)]
    field = math.prod(shape) / max(math.prod(sizes), 1)
    return sizes[0] * field, sizes[1] * field


_FAN = {
    "fan_in": lambda i, o: i,
    "fan_out": lambda i, o: o,
    "fan_avg": lambda i, o: (i + o) / 2,
    "fan_geo_avg": lambda i, o: (i * o) ** 0.5,
}


def variance_scaling(
    scale: Any,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """An initializer whose variance is ``scale`` over the number of inputs or outputs.

    Args:
      scale: positive float.
      mode: ``"fan_in"``, ``"fan_out"``, ``"fan_avg"`` or ``"fan_geo_avg"``: what to divide by.
      distribution: ``"truncated_normal"``, ``"normal"`` or ``"uniform"``.
      in_axis, out_axis, batch_axis: int or tuple: which axes of the weights are which; the
        rest, such as the window of a convolution, counts for both sides.
      dtype: default dtype of the arrays.

    Raises ValueError for another mode or distribution, and for shapes of rank below 2.

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> init = initializers.variance_scaling(1.0, "fan_in", "normal")
    >>> init(random.key(0), (100, 200)).shape
    (100, 200)
    """
    if mode not in _FAN:
        raise ValueError(f"invalid mode for variance scaling initializer: {mode}{here()}")
    if distribution not in ("truncated_normal", "normal", "uniform"):
        raise ValueError(
            f"invalid distribution for variance scaling initializer: {distribution}{here()}"
        )
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        chosen = _dtype(dtype, default)
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        fan_in, fan_out = _fans(sizes, in_axis, out_axis, batch_axis)
        variance = jnp.asarray(scale / _FAN[mode](fan_in, fan_out), chosen)
        draw = _COMPLEX if dtypes.is_complex(chosen) else _REAL
        return draw[distribution](key, sizes, chosen, variance)

    return init


def _scaled_truncated(key: Any, shape: Any, dtype: Any, variance: Any) -> Array:
    # the constant is the deviation of a standard normal cut off at -2 and 2
    deviation = jnp.sqrt(variance) / jnp.asarray(0.87962566103423978, dtype)
    return random.truncated_normal(key, -2, 2, shape, dtype) * deviation  # type: ignore[no-any-return, operator]


def _scaled_normal(key: Any, shape: Any, dtype: Any, variance: Any) -> Array:
    return random.normal(key, shape, dtype) * jnp.sqrt(variance)  # type: ignore[no-any-return, operator]


def _scaled_uniform(key: Any, shape: Any, dtype: Any, variance: Any) -> Array:
    return random.uniform(key, shape, dtype, -1) * jnp.sqrt(3 * variance)  # type: ignore[no-any-return, operator]


def _polar(key: Any, shape: Any, dtype: Any, squared_radius: Any) -> Array:
    """Complex draws of uniform phase; ``squared_radius`` is a function of uniform draws."""
    for_radius, for_phase = random.split(random.wrap_key_data(random.key_data(key)))
    part = dtypes.real_of(dtype)
    radius = jnp.sqrt(squared_radius(random.uniform(for_radius, shape, part)))
    phase = 2 * math.pi * random.uniform(for_phase, shape, part).astype(dtype)  # type: ignore[attr-defined]
    return radius.astype(dtype) * jnp.exp(1j * phase)  # type: ignore[no-any-return]


def _complex_uniform(key: Any, shape: Any, dtype: Any, variance: Any) -> Array:
    return _polar(key, shape, dtype, lambda u: 2 * u) * jnp.sqrt(variance)  # type: ignore[no-any-return, operator]


def _complex_truncated(key: Any, shape: Any, dtype: Any, variance: Any) -> Array:
    # lengths up to 2; the constant is the deviation that this cut leaves
    deviation = jnp.sqrt(variance) / jnp.asarray(0.95311164380491208, dtype)
    within = 1 - math.exp(-4)
    return _polar(key, shape, dtype, lambda u: -jnp.log(1 - within * u)) * deviation  # type: ignore[no-any-return, operator]


_REAL = {
    "truncated_normal": _scaled_truncated,
    "normal": _scaled_normal,
    "uniform": _scaled_uniform,
}
_COMPLEX = {
    "truncated_normal": _complex_truncated,
    "normal": _scaled_normal,
    "uniform": _complex_uniform,
}


def _family(name: str, scale: float, mode: str, distribution: str, source: str) -> Any:
    def make(
        in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
    ) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = (
        f"``variance_scaling({scale}, {mode!r}, {distribution!r})``.\n\n    Args as there."
        f"\n\n    Source: {source}\n\n"
        "    >>> from adlib import random\n"
        "    >>> from adlib.nn import initializers\n"
        f"    >>> initializers.{name}()(random.key(0), (3, 4)).shape\n"
        "    (3, 4)\n    "
    )
    return make


_GLOROT = 'Glorot and Bengio, "Understanding the difficulty of training deep networks" (2010).'
_LECUN = 'LeCun et al., "Efficient BackProp" (1998).'
_HE = 'He et al., "Delving Deep into Rectifiers" (2015).'
glorot_uniform = _family("glorot_uniform", 1.0, "fan_avg", "uniform", _GLOROT)
glorot_normal = _family("glorot_normal", 1.0, "fan_avg", "truncated_normal", _GLOROT)
lecun_uniform = _family("lecun_uniform", 1.0, "fan_in", "uniform", _LECUN)
lecun_normal = _family("lecun_normal", 1.0, "fan_in", "truncated_normal", _LECUN)
he_uniform = _family("he_uniform", 2.0, "fan_in", "uniform", _HE)
he_normal = _family("he_normal", 2.0, "fan_in", "truncated_normal", _HE)
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


# ----------------------------------------------------------------------- orthogonal


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An initializer that draws orthogonal matrices, times ``scale``.

    Args:
      scale: float.
      column_axis: axis of the columns; the others together are the rows. The shorter side
        is orthonormal.
      dtype: default dtype of the arrays.

    The initializer raises ValueError for shapes of rank below 2.

    Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of
    learning" (2014).

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> initializers.orthogonal()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        chosen = _dtype(dtype, default)
        sizes = list(shape)
        if len(sizes) < 2:
            raise ValueError(f"orthogonal initializer requires at least a 2D shape{here()}")
        columns = sizes.pop(column_axis)
        drawn = random.orthogonal(key, math.prod(sizes), (), chosen, m=columns)
        matrix = jnp.moveaxis(drawn.reshape((*sizes, columns)), -1, column_axis)  # type: ignore[attr-defined]
        return jnp.asarray(scale, chosen) * matrix  # type: ignore[no-any-return]

    return init


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """An initializer of convolution windows: an orthogonal matrix at the centre, zeros around.

    Args as for ``orthogonal``. The initializer takes shapes of rank 3 to 5 whose last two
    axes are inputs and outputs, no more of the former than of the latter; else it raises
    ValueError.

    Source: Xiao et al., "Dynamical Isometry and a Mean Field Theory of CNNs" (2018).

    >>> from adlib import random
    >>> from adlib.nn import initializers
    >>> initializers.delta_orthogonal()(random.key(0), (3, 3, 2, 4)).shape
    (3, 3, 2, 4)
    """
    default = dtype
    central = orthogonal(scale, column_axis)

    def init(key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        chosen = _dtype(dtype, default)
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        if len(sizes) not in (3, 4, 5):
            raise ValueError(
                f"Delta orthogonal initializer requires a 3D, 4D or 5D shape, got {sizes}.{here()}"
            )
        if sizes[-1] < sizes[-2]:
            raise ValueError(
                f"`fan_in` must be less or equal than `fan_out`, got shape {sizes}.{here()}"
            )
        matrix = central(key, sizes[-2:], chosen)
        centre = tuple((n - 1) // 2 for n in sizes[:-2])
        return jnp.zeros(sizes, chosen).at[centre].set(matrix)  # type: ignore[no-any-return]

    return init
