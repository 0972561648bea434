"""Cumulative sums, products, extrema and log-sums, and reduction by any function of two.

The derivatives of all but the sum run over the sequence in doubling steps (Hillis & Steele,
"Data parallel algorithms", 1986): after step k each element knows the result over the 2**k
elements up to it, with its tangent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import scalar
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.core.trace import Tracer
from adlib.ops import arithmetic, bitwise, reductions, selection
from adlib.ops.arithmetic import add, div, eq, exp, log, mul, sub
from adlib.ops.constructors import add_any
from adlib.ops.conversion import convert
from adlib.ops.operands import check_dtypes, normal, uniform
from adlib.ops.operands import operands as to_arrays
from adlib.ops.reshaping import broadcast_in_dim, full_like, reduce_sum, reduced_shape, squeeze
from adlib.ops.rounding import is_finite
from adlib.ops.selection import max, select_n_p
from adlib.ops.stacking import concatenate
from adlib.ops.structural import canonical_axis, pad, slice_in_dim

# -------------------------------------------------------------------- kernels


def _flipped(xp: Any, x: Any, axis: int, reverse: bool) -> Any:
    return xp.flip(x, axis) if reverse else x


def _accumulate_kernel(function: str, xp: Any, axis: int, reverse: bool) -> Callable[..., Any]:
    ufunc = getattr(xp, function)

    def run(x: Any) -> Any:
        dtype = x.dtype
        if dtype.itemsize < 4 and dtypes.is_float(dtype):
            x = x.astype(np.float32)  # rounded once, at the end
        x = _flipped(xp, x, axis, reverse)
        out = ufunc.accumulate(x, axis=axis, dtype=x.dtype)
        return _flipped(xp, out, axis, reverse).astype(dtype, copy=False)

    return run


def _shape(name: str, kinds: str, x: ShapedArray, *, axis: int, reverse: bool) -> ShapedArray:
    check_dtypes(name, (x,), kinds)
    if not 0 <= axis < x.ndim:
        raise ValueError(
            f"{name}: axis {axis} is out of bounds for array of shape {x.shape}.{here()}"
        )
    return x


def _batch(
    primitive: Primitive,
    axis_data: Any,
    args: Sequence[Any],
    dims: Sequence[Any],
    *,
    axis: int,
    reverse: bool,
) -> tuple[Any, int]:
    (d,) = dims
    return primitive.bind(args[0], axis=axis + (axis >= d), reverse=reverse), d


# -------------------------------------------------------------- doubling steps


def _moved(config: Any, y: Any, fill: Any) -> Any:
    return pad(y, full_like(y, fill), config)


def _shifts(x: Any, axis: int, reverse: bool) -> Iterator[Callable[[Any, Any], Any]]:
    """For each step the function ``(y, fill)`` that moves y along by 1, 2, 4, … places."""
    distance, size = 1, x.aval.shape[axis]
    while distance < size:
        low, high = (-distance, distance) if reverse else (distance, -distance)
        config = [(0, 0, 0)] * x.aval.ndim
        config[axis] = (low, high, 0)
        yield partial(_moved, config)
        distance *= 2


def _prod_tangent(x: Any, t: Any, axis: int, reverse: bool) -> Any:
    y = x
    for shift in _shifts(x, axis, reverse):
        before = shift(y, 1)
        t = add_any(mul(t, before), mul(shift(t, 0), y))
        y = mul(y, before)
    return t


def _extremum_tangent(
    extremum: Any, identity: Any, x: Any, t: Any, axis: int, reverse: bool
) -> Any:
    """Sums of tangents and counts of the elements that attain the extremum so far."""
    y, dtype = x, t.aval.dtype
    count = broadcast_in_dim(full_like(t, 1), t.aval.shape, ())
    for shift in _shifts(x, axis, reverse):
        before = shift(y, identity(x.aval.dtype))
        best = extremum(y, before)
        mine, theirs = convert(eq(y, best), dtype), convert(eq(before, best), dtype)
        t = add_any(mul(t, mine), mul(shift(t, 0), theirs))
        count = add(mul(count, mine), mul(shift(count, 0), theirs))
        y = best
    return div(t, count)


def _logsumexp_tangent(x: Any, t: Any, axis: int, reverse: bool) -> Any:
    y = x
    for shift in _shifts(x, axis, reverse):
        before = shift(y, -np.inf)
        top = max(y, before)
        # where both are -inf there is nothing to weigh: 0 stands in, and the weights vanish
        base = select_n_p.bind(is_finite(top), full_like(top, 0), top)
        mine, theirs = exp(sub(y, base)), exp(sub(before, base))
        both = add(mine, theirs)
        scale = select_n_p.bind(eq(both, full_like(both, 0)), both, full_like(both, 1))
        t = add_any(mul(t, div(mine, scale)), mul(shift(t, 0), div(theirs, scale)))
        y = add(base, log(both))
    return t


# ----------------------------------------------------------------- primitives


def _cumulative(
    name: str,
    function: str,
    kinds: str,
    tangent: Callable[..., Any] | None,
    samples: Callable[[], list[Sample]],
) -> Primitive:
    primitive = define_primitive(
        name,
        shape=partial(_shape, name, kinds),
        kernel=partial(_accumulate_kernel, function),
        samples=samples,
    )

    def jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        (x,), (t,) = primals, tangents
        ans = primitive.bind(x, **params)
        if type(t) is Zero:
            return ans, Zero.like(ans)
        if tangent is None:
            return ans, primitive.bind(t, **params)
        return ans, tangent(x, t, **params)

    primitive.jvp = jvp
    primitive.batch = partial(_batch, primitive)
    return primitive


def _samples(*kinds: str) -> Callable[[], list[Sample]]:
    def make() -> list[Sample]:
        forward, backward = dict(axis=0, reverse=False), dict(axis=1, reverse=True)
        samples = [
            Sample((normal(5),), forward),
            Sample((normal(2, 3),), backward, "reverse"),
            Sample((uniform(4, dtype=dtypes.bfloat16),), forward, "bfloat16"),
            Sample((normal(1, 2),), forward, "size-1"),
        ]
        if "c" in kinds:
            samples.append(Sample((normal(2, 3, dtype=np.complex64),), backward, "complex"))
        if "i" in kinds:
            samples.append(Sample((normal(4, dtype=np.int32),), forward, "int"))
        return samples

    return make


cumsum_p = _cumulative("cumsum", "add", "iufc", None, _samples("i", "c"))
cumsum_p.transpose = lambda ct, x, *, axis, reverse: (
    cumsum_p.bind(ct, axis=axis, reverse=not reverse),
)
cumprod_p = _cumulative("cumprod", "multiply", "iufc", _prod_tangent, _samples("i", "c"))
cummax_p = _cumulative(
    "cummax",
    "maximum",
    "biuf",
    partial(_extremum_tangent, selection.max, reductions.lowest),
    _samples("i"),
)
cummin_p = _cumulative(
    "cummin",
    "minimum",
    "biuf",
    partial(_extremum_tangent, selection.min, reductions.highest),
    _samples("i"),
)
cumlogsumexp_p = _cumulative("cumlogsumexp", "logaddexp", "f", _logsumexp_tangent, _samples())


def _apply(primitive: Primitive, operand: Any, axis: int, reverse: bool) -> Any:
    (x,) = to_arrays(primitive.name, operand)
    axis = canonical_axis(primitive.name, axis, x.aval.ndim)
    return primitive.bind(x, axis=axis, reverse=bool(reverse))


def cumsum(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Sums of the elements up to each one along ``axis``; from the end with ``reverse``.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.cumsum(jnp.array([1, 2, 3]))
    Array([1, 3, 6], dtype=int32)
    """
    return _apply(cumsum_p, operand, axis, reverse)


def cumprod(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Products of the elements up to each one along ``axis``; derivatives allow zeros.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.cumprod(jnp.array([1, 2, 3]))
    Array([1, 2, 6], dtype=int32)
    """
    return _apply(cumprod_p, operand, axis, reverse)


def cummax(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The largest element up to each one along ``axis``; ties share derivatives evenly.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.cummax(jnp.array([1, 3, 2]))
    Array([1, 3, 3], dtype=int32)
    """
    return _apply(cummax_p, operand, axis, reverse)


def cummin(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """The smallest element up to each one along ``axis``; ties share derivatives evenly.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.cummin(jnp.array([2, 1, 3]))
    Array([2, 1, 1], dtype=int32)
    """
    return _apply(cummin_p, operand, axis, reverse)


def cumlogsumexp(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """``log(cumsum(exp(operand)))`` along ``axis``, without overflow.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.cumlogsumexp(jnp.zeros(2))
    Array([0.       , 0.69315], dtype=float32)
    """
    return _apply(cumlogsumexp_p, operand, axis, reverse)


# --------------------------------------------------------------------- reduce

# function of two -> (the reduction that it makes, its identity)
_MONOIDS: dict[Any, tuple[Any, Callable[[Any], Any]]] = {
    arithmetic.add: (reduce_sum, lambda dtype: 0),
    arithmetic.mul: (reductions.reduce_prod, lambda dtype: 1),
    selection.max: (reductions.reduce_max, reductions.lowest),
    selection.min: (reductions.reduce_min, reductions.highest),
    bitwise.bitwise_and: (reductions.reduce_and, lambda dtype: True if dtype.kind == "b" else -1),
    bitwise.bitwise_or: (reductions.reduce_or, lambda dtype: 0),
    bitwise.bitwise_xor: (reductions.reduce_xor, lambda dtype: 0),
}


# The same functions under the names that Python and NumPy give them.
_ALIASES = {
    "add": arithmetic.add,
    "mul": arithmetic.mul,
    "multiply": arithmetic.mul,
    "maximum": selection.max,
    "minimum": selection.min,
    "and_": bitwise.bitwise_and,
    "bitwise_and": bitwise.bitwise_and,
    "or_": bitwise.bitwise_or,
    "bitwise_or": bitwise.bitwise_or,
    "xor": bitwise.bitwise_xor,
    "bitwise_xor": bitwise.bitwise_xor,
}


def _recognised(computation: Any) -> Any:
    """The operation of this floor that a function is another name for, or the function."""
    module = str(getattr(computation, "__module__", ""))
    if module == "_operator" or module.startswith("adlib."):
        return _ALIASES.get(getattr(computation, "__name__", ""), computation)
    return computation


def _fold(combine: Callable[..., list[Any]], xs: list[Any], axis: int) -> list[Any]:
    """Combine neighbours along an axis, in their order, until one element is left."""
    while xs[0].aval.shape[axis] > 1:
        size = xs[0].aval.shape[axis]
        even = size - size % 2
        left = [slice_in_dim(x, 0, even, 2, axis) for x in xs]
        right = [slice_in_dim(x, 1, even, 2, axis) for x in xs]
        rest = [slice_in_dim(x, even, size, 1, axis) for x in xs]
        xs = combine(left, right)
        if size % 2:
            xs = [concatenate([x, r], axis) for x, r in zip(xs, rest, strict=True)]
    return [squeeze(x, (axis,)) for x in xs]


def _reduce(
    arrays: list[Any], inits: list[Any], computation: Any, structure: Any, axes: Sequence[int]
) -> list[Any]:
    monoid = _MONOIDS.get(_recognised(computation)) if len(arrays) == 1 else None
    if monoid is not None:
        reduction, identity = monoid
        (x,), (init,) = arrays, inits
        result = reduction(x, axes)
        known = init.concrete() if isinstance(init, Tracer) else init
        neutral = scalar(identity(x.aval.dtype), x.aval.dtype)
        if known is not None and known.item() == neutral.item():
            return [result]
        return [computation(result, init)]

    def combine(left: list[Any], right: list[Any]) -> list[Any]:
        out = computation(tree.unflatten(structure, left), tree.unflatten(structure, right))
        results = tree.leaves(out)
        if [r.aval.update(weak_type=False) for r in results] != [
            x.aval.update(weak_type=False) for x in left
        ]:
            given = ", ".join(r.aval.str_short() for r in results)
            wanted = ", ".join(x.aval.str_short() for x in left)
            raise TypeError(
                f"reduce: the computation must return values of the types of its arguments: "
                f"given {wanted} it returned {given}.{here()}"
            )
        return results

    if any(arrays[0].aval.shape[a] == 0 for a in axes):
        kept = tuple([n for i, n in enumerate(arrays[0].aval.shape) if i not in axes])
        return [broadcast_in_dim(init, kept, ()) for init in inits]
    results = arrays
    for axis in sorted(axes, reverse=True):
        results = _fold(combine, results, axis)
    shape = results[0].aval.shape
    return combine([broadcast_in_dim(init, shape, ()) for init in inits], results)


def reduce(operands: Any, init_values: Any, computation: Any, dimensions: Sequence[int]) -> Any:
    """Reduce ``dimensions`` of an array, or of each array of a pytree, by ``computation``.

    Args:
      operands: array or pytree of arrays of one shape.
      init_values: scalars in the same structure; combined with each result.
      computation: associative function of two values (pytrees, where ``operands`` is one).
        It is applied to arrays, element by element.
      dimensions: axes to reduce.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.reduce(jnp.array([1.0, 2.0, 4.0]), 0.0, lax.add, (0,))
    Array(7., dtype=float32)
    """
    leaves, structure = tree.flatten(operands)
    arrays = [to_arrays("reduce", leaf)[0] for leaf in leaves]
    inits = [
        to_arrays("reduce", init, x)[0]
        for init, x in zip(tree.leaves(init_values), arrays, strict=True)
    ]
    axes = tuple([canonical_axis("reduce", d, arrays[0].aval.ndim) for d in dimensions])
    for x, init in zip(arrays, inits, strict=True):
        if init.aval.shape or init.aval.dtype != x.aval.dtype:
            raise TypeError(
                f"reduce: init_values must be scalars of the operands' dtypes, got "
                f"{init.aval.str_short()} for an operand of type {x.aval.str_short()}.{here()}"
            )
        reduced_shape("reduce", x.aval, axes)
    return tree.unflatten(structure, _reduce(arrays, inits, computation, structure, axes))
