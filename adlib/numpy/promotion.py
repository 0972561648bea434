"""How arguments meet: values to arrays, dtypes to a common one, ranks to an equal one.

Functions of ``adlib.lax`` take arrays of equal dtype and rank; NumPy's take whatever there
is. What stands between them is here, and is the hottest Python of eager execution: two
arrays of one type, and an array with a Python scalar, pass with a few look-ups.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.base.config import config
from adlib.base.source import here, user_location
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, as_value, check_integer_fits, scalar
from adlib.core.avals import ShapedArray
from adlib.core.evaluate import evaluator
from adlib.core.trace import state
from adlib.ops.conversion import convert_element_type_p
from adlib.ops.reshaping import broadcast_in_dim

# Which dtype kinds of the partner a Python scalar adopts, without anything being promoted.
_ADOPTS: dict[type, str] = {float: "fc", int: "fciu", bool: "fciub", complex: "c"}


def adopt(value: Any, partner: ShapedArray) -> ArrayImpl | None:
    """A Python scalar as a constant of the partner's dtype, or None if that takes promotion.

    Raises OverflowError where an integer does not fit the default integer dtype; in a
    narrower one it wraps around.
    """
    kinds = _ADOPTS.get(type(value))
    dtype = partner.dtype
    if kinds is None or dtype.kind not in kinds:
        return None
    if dtype.kind in "iu" and not -128 <= value <= 127:
        _check_integer(value)
    return scalar(value, dtype, partner.weak_type)


def _check_integer(value: Any) -> None:
    check_integer_fits(value, dtypes.canonicalize_dtype(np.int64))


def to_array(x: Any, what: str, position: int | None = 0) -> Array:
    """``x`` as an Array; TypeError naming the function for lists and other objects."""
    return x if isinstance(x, Array) else as_value(x, what, position)


def to_arrays(what: str, *xs: Any) -> list[Array]:
    """Arguments as Arrays, each with its own dtype."""
    return [x if isinstance(x, Array) else as_value(x, what, i) for i, x in enumerate(xs)]


# ------------------------------------------------------------------------ dtypes


def convert(x: Array, dtype: Any, weak_type: bool = False) -> Array:
    """``x`` in another dtype or weakness; itself where it has both already."""
    aval = x.aval
    if aval.dtype == dtype and aval.weak_type == weak_type:
        return x
    if type(x) is ArrayImpl:
        if aval.dtype == dtype:
            # only the weakness differs: the numbers are shared
            return ArrayImpl(x._value, ShapedArray(aval.shape, dtype, weak_type))
        if not aval.shape and aval.dtype.kind in "biuf" and dtype.kind in "fc":
            # a constant stays one, under every transformation
            return ArrayImpl(x._value.astype(dtype), ShapedArray((), dtype, weak_type))
    return convert_element_type_p.bind(x, new_dtype=dtype, weak_type=weak_type)


def strong_unless_scalar(x: Array) -> Array:
    """``x``, weakly typed only where it is of rank 0: the rule of functions that fill constants."""
    return convert(x, x.aval.dtype, x.aval.weak_type and not x.aval.shape)


def promote_dtypes(what: str, *xs: Any) -> list[Array]:
    """Arguments as Arrays of their common dtype; Python scalars are made in that dtype."""
    values = to_arrays(what, *xs)
    first = values[0].aval
    for value in values:
        aval = value.aval
        if aval.dtype is not first.dtype or aval.weak_type is not first.weak_type:
            break
    else:
        return values
    if all([v.aval.dtype is first.dtype for v in values]):
        dtype, weak = first.dtype, False  # weakness gives way, and no dtype does
    else:
        dtype, weak = dtypes.promote(*[(v.aval.dtype, v.aval.weak_type) for v in values])
    return [_in_dtype(x, v, dtype, weak) for x, v in zip(xs, values, strict=True)]


def promote_dtypes_inexact(what: str, *xs: Any) -> list[Array]:
    """As ``promote_dtypes``, with integers and booleans becoming the default float."""
    values = to_arrays(what, *xs)
    dtype, weak = inexact_type(*[v.aval for v in values])
    return [_in_dtype(x, v, dtype, weak) for x, v in zip(xs, values, strict=True)]


def inexact_type(*avals: ShapedArray) -> tuple[Any, bool]:
    """(dtype, weak_type) that values of these types are computed with in a float function."""
    if len(avals) == 1:
        dtype, weak = avals[0].dtype, avals[0].weak_type
    else:
        dtype, weak = dtypes.promote(*[(a.dtype, a.weak_type) for a in avals])
    if not dtypes.is_inexact(dtype):
        dtype = float_for(dtype)
    return dtype, weak


def index_dtype() -> Any:
    """The dtype of indices: the default integer."""
    return dtypes.canonicalize_dtype(np.int64)


def float_for(dtype: Any) -> Any:
    """The floating dtype that numbers of ``dtype`` become: 64 bits wide only for 64 bits."""
    if dtypes.is_inexact(dtype):
        return dtype
    return np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)


def _in_dtype(x: Any, value: Array, dtype: Any, weak: bool) -> Array:
    """``value``, made from ``x``, in the common type; scalars are rounded only once."""
    if x is not value and type(x) in _ADOPTS:
        return scalar(x, dtype, weak)
    return convert(value, dtype, weak)


# ------------------------------------------------------------------------- ranks


def promote_ranks(what: str, xs: Sequence[Array]) -> list[Array]:
    """Arrays with axes of size 1 put in front until ranks are equal; scalars stay scalars."""
    ranks = {len(x.aval.shape) for x in xs}
    ranks.discard(0)
    if len(ranks) <= 1:
        return list(xs)
    _note_rank_promotion(what, xs)
    rank = max(ranks)
    return [_with_rank(x, rank) for x in xs]


def _with_rank(x: Array, rank: int) -> Array:
    shape = x.aval.shape
    missing = rank - len(shape)
    if not missing or not shape:
        return x
    if type(x) is ArrayImpl and state.trace is evaluator:
        # at once, and without a copy: the commonest thing that eager broadcasting does
        wide = (1,) * missing + shape
        aval = x.aval
        return ArrayImpl(x._value.reshape(wide), ShapedArray(wide, aval.dtype, aval.weak_type))
    return broadcast_in_dim(x, (1,) * missing + shape, tuple(range(missing, rank)))


_warned: dict[Any, Any] = {}


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as from the user's own line, once for each line and message."""
    location = user_location(2)
    if location is None:
        warnings.warn(message, category, stacklevel=3)
    else:
        warnings.warn_explicit(
            message, category, location.file_name, location.line, registry=_warned
        )


def _note_rank_promotion(what: str, xs: Sequence[Array]) -> None:
    mode = config.jax_numpy_rank_promotion
    if mode == "allow":
        return
    shapes = ", ".join(str(x.aval.shape) for x in xs)
    message = (
        f"{what} of operands with shapes {shapes} needs rank promotion, and the flag "
        f"jax_numpy_rank_promotion is {mode!r}.{here()}\n"
        "  Repair: give the operands equal ranks, for example with x[None, :]."
    )
    if mode == "raise":
        raise ValueError(message)
    warn_user(message)


@functools.lru_cache(4096)
def broadcast_shapes(*shapes: Any, what: str = "broadcasting") -> tuple[int, ...]:
    """The shape that arrays of these shapes have together; ints count as 1-d shapes.

    Raises ValueError naming the shapes where they do not fit.

    >>> import adlib.numpy as jnp
    >>> jnp.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    given = [(s,) if isinstance(s, (int, np.integer)) else tuple(s) for s in shapes]
    rank = max((len(s) for s in given), default=0)
    result = []
    for axis in range(-rank, 0):
        sizes = {s[axis] for s in given if len(s) >= -axis}
        wide = sizes - {1}
        if len(wide) > 1:
            listed = ", ".join(str(s) for s in given)
            raise ValueError(
                f"Incompatible shapes for {what}: {listed}.{here()}\n  Shapes are aligned at "
                "the end; two sizes fit if they are equal or one of them is 1."
            )
        result.append(wide.pop() if wide else 1)
    return tuple(result)


# ------------------------------------------------------------------------ both


def promote(what: str, *xs: Any) -> list[Array]:
    """Arguments as Arrays of common dtype and equal rank (or rank 0): ready for lax."""
    if len(xs) == 2:
        pair = _ready(*xs)
        if pair is not None:
            return pair
    given = promote_dtypes(what, *xs)
    values = promote_ranks(what, given)
    _check_fit(what, given, values)
    return values


def _ready(x: Any, y: Any) -> list[Array] | None:
    """The common pairs: arrays of one dtype that fit, and an array with a Python scalar."""
    if isinstance(x, Array):
        if isinstance(y, Array):
            a, b = x.aval, y.aval
            fits = a is b or (
                a.dtype is b.dtype
                and a.weak_type is b.weak_type
                and (not a.shape or not b.shape or a.shape == b.shape)
            )
            return [x, y] if fits else None
        constant = adopt(y, x.aval)
        return None if constant is None else [x, constant]
    if isinstance(y, Array):
        constant = adopt(x, y.aval)
        return None if constant is None else [constant, y]
    return None


def promote_pair(what: str, x: Any, y: Any) -> list[Array]:
    """``promote_dtypes`` of two arguments, with the common pairs first."""
    return _ready(x, y) or promote_dtypes(what, x, y)


def promote_numbers(what: str, *xs: Any) -> list[Array]:
    """As ``promote``, with booleans counted as the integers 0 and 1."""
    values = promote(what, *xs)
    if values[0].aval.dtype.kind != "b":
        return values
    return [convert(v, np.dtype(np.int32)) for v in values]


def promote_inexact(what: str, *xs: Any) -> list[Array]:
    """As ``promote``, with integers and booleans becoming floats."""
    given = promote_dtypes_inexact(what, *xs)
    values = promote_ranks(what, given)
    _check_fit(what, given, values)
    return values


def _check_fit(what: str, given: Sequence[Array], values: Sequence[Array]) -> None:
    """Name the shapes as they were given, where these do not broadcast."""
    if values[0] is given[0] and values[-1] is given[-1]:
        return  # equal ranks: the operation itself checks
    broadcast_shapes(*[x.aval.shape for x in given], what=what)


def same_shape(*xs: Array) -> list[Array]:
    """Every array broadcast to the shape they have together."""
    shape = broadcast_shapes(*[x.aval.shape for x in xs])
    return [broadcast_array(x, shape) for x in xs]


def of_one_shape(what: str, *xs: Array) -> list[Array]:
    """As ``same_shape``, with the TypeError of an operation where arrays of one rank do not fit."""
    try:
        return same_shape(*xs)
    except ValueError:
        if len({len(x.aval.shape) for x in xs}) > 1:
            raise
        shapes = ", ".join(str(x.aval.shape) for x in xs)
        raise TypeError(
            f"{what} got incompatible shapes for broadcasting: {shapes}.{here()}"
        ) from None


def broadcast_array(x: Array, shape: tuple[int, ...]) -> Array:
    """``x`` repeated to ``shape``, axes aligned at the end."""
    own = x.aval.shape
    if own == shape:
        return x
    rank = len(shape)
    return broadcast_in_dim(x, shape, tuple(range(rank - len(own), rank)))
