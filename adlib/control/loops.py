"""Loops that users write: scan, fori_loop, map, associative_scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base import tree
from adlib.base.source import here
from adlib.control.calls import (
    name_of,
    values_of,
)
from adlib.control.functions import (
    check_same_structure,
    settle_weak_types,
    trace,
)
from adlib.control.scan import scan_p
from adlib.control.while_loop import while_loop
from adlib.core.array import Array, ArrayImpl, as_value, scalar
from adlib.core.avals import ShapedArray
from adlib.ops.arithmetic import add, lt
from adlib.ops.conversion import convert_element_type
from adlib.ops.reshaping import expand_dims, reshape
from adlib.ops.stacking import concatenate
from adlib.ops.structural import canonical_axis, pad, rev
from adlib.ops.structural import slice as slice_


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    _split_transpose: bool = False,
) -> tuple[Any, Any]:
    """Carry a value along the leading axis of ``xs``, collecting a result for each step.

    Args:
      f: ``f(carry, x) -> (carry, y)``; the carry keeps its structure and types.
      init: initial carry.
      xs: arrays with a common leading axis (pytrees of them), or None with ``length``.
      length: number of steps where ``xs`` is None.
      reverse: whether to start at the last element.
      unroll: accepted; steps are not unrolled by the reference executor.

    Returns:
      ``(carry, ys)`` with the ``y`` of every step stacked along a leading axis.

    Raises:
      TypeError: the carry changes structure or type, or ``f`` returns no pair.
      ValueError: lengths differ.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.scan(lambda c, x: (c + x, c * x), 0.0, jnp.array([1.0, 2.0, 3.0]))
    (Array(6., dtype=float32), Array([0., 2., 9.], dtype=float32))
    """
    if not callable(f):
        raise TypeError(f"lax.scan: f argument should be a callable, got {type(f)}.{here()}")
    carry, carry_tree = values_of(init, "scan")
    values, xs_tree = values_of(xs, "scan")
    n = _length(values, length)
    x_avals = [v.aval.update(shape=v.aval.shape[1:]) for v in values]
    in_tree = tree.structure(
        (tree.unflatten(carry_tree, [0] * len(carry)), tree.unflatten(xs_tree, [0] * len(values)))
    )

    def pair(c: Any, x: Any) -> tuple[Any, Any]:
        out = f(c, x)
        if not isinstance(out, tuple) or len(out) != 2:
            raise TypeError(
                f"scan body output must be a pair (carry, y), got {type(out)}.{here()}\n  "
                "Repair: return (carry, None) where there is nothing to collect."
            )
        return out

    def trace_body(avals: list[ShapedArray]) -> tuple[Any, list[ShapedArray]]:
        traced = trace(pair, in_tree, [*avals, *x_avals], "scan")
        check_same_structure(
            "scan carry output and input",
            ["the carry", name_of(f)],
            [carry_tree, traced[2].children()[0]],
        )
        return traced, traced[0].out_avals[: len(carry)]

    (body, consts, out_tree), avals = settle_weak_types(trace_body, carry, "scan", name_of(f))
    initial = [_as_type(c, a) for c, a in zip(carry, avals, strict=True)]
    outs = scan_p.bind(
        *consts,
        *initial,
        *values,
        jaxpr=body,
        length=n,
        reverse=bool(reverse),
        num_consts=len(consts),
        num_carry=len(carry),
        unroll=int(unroll) if unroll else 1,
    )
    carry_out = tree.unflatten(carry_tree, outs[: len(carry)])
    return carry_out, tree.unflatten(out_tree.children()[1], outs[len(carry) :])


def _as_type(value: Array, aval: ShapedArray) -> Array:
    if value.aval is aval:
        return value
    if value.aval.dtype == aval.dtype and type(value) is ArrayImpl:
        return ArrayImpl(value._value, aval)
    return convert_element_type(value, aval.dtype)  # type: ignore[no-any-return]


def _length(values: list[Array], given: int | None) -> int:
    for v in values:
        if not v.aval.shape:
            raise ValueError(
                f"scan got a value with no leading axis to scan over: type {v.aval.str_short()}."
                f"{here()}\n  Repair: pass constants by closure, arrays as xs."
            )
    sizes = {v.aval.shape[0] for v in values}
    if given is not None:
        sizes.add(int(given))
    if len(sizes) > 1:
        raise ValueError(
            "scan got values with different leading axis sizes: "
            f"{', '.join(v.aval.str_short() for v in values)}, length={given}.{here()}"
        )
    if not sizes:
        raise ValueError(f"scan got no values to scan over and `length` not provided.{here()}")
    return sizes.pop()


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Any], Any],
    init_val: Any,
    *,
    unroll: int | bool | None = None,
) -> Any:
    """``val = body_fun(i, val)`` for ``i`` from ``lower`` up to ``upper`` (exclusive).

    With Python integers as bounds the loop is a scan, which reverse mode can differentiate;
    with traced bounds it is a while_loop, which it cannot.

    >>> from adlib import lax
    >>> lax.fori_loop(0, 5, lambda i, x: x + i, 10)
    Array(20, dtype=int32, weak_type=True)
    """
    static = all(
        isinstance(b, (int, np.integer)) or (type(b) is ArrayImpl and not b.aval.shape)
        for b in (lower, upper)
    )
    start = as_value(lower, "fori_loop")
    stop = as_value(upper, "fori_loop")
    for bound in (start, stop):
        if bound.aval.shape or bound.aval.dtype.kind not in "iu":
            raise TypeError(
                f"lower and upper arguments to fori_loop must be integers, got "
                f"{bound.aval.str_short()}.{here()}"
            )
    if static:
        rounds = max(int(stop) - int(start), 0)

        def step(carry: Any, _: Any) -> tuple[Any, None]:
            i, value = carry
            return (add(i, 1), body_fun(i, value)), None

        (_, value), _ = scan(step, (start, init_val), None, length=rounds)
        return value

    def body(carry: Any) -> Any:
        i, limit, value = carry
        return add(i, 1), limit, body_fun(i, value)

    if start.aval.dtype != stop.aval.dtype:
        start = convert_element_type(start, stop.aval.dtype)
    _, _, value = while_loop(lambda c: lt(c[0], c[1]), body, (start, stop, init_val))
    return value


def map(  # the field's name for it
    f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None
) -> Any:
    """``f`` applied to each slice of ``xs`` along the leading axis, one after the other.

    Takes less memory than vmap, and more time.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.map(lambda x: x**2, jnp.arange(3.0))
    Array([0., 1., 4.], dtype=float32)
    """
    _, ys = scan(lambda _, x: ((), f(x)), (), xs)
    return ys


def associative_scan(
    fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All prefix combinations of ``elems`` along ``axis`` by an associative function.

    Takes a number of vectorized applications of ``fn`` logarithmic in the length (Blelloch,
    "Prefix sums and their applications", 1990).

    Args:
      fn: associative function of two pytrees of slices, vectorized along ``axis``.
      elems: arrays of equal length along ``axis``.
      reverse: whether to combine from the end.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> lax.associative_scan(jnp.add, jnp.arange(5))
    Array([ 0,  1,  3,  6, 10], dtype=int32)
    """
    if not callable(fn):
        raise TypeError(f"lax.associative_scan: fn argument should be callable.{here()}")
    leaves, treedef = values_of(elems, "associative_scan")
    for v in leaves:
        canonical_axis("associative_scan", axis, v.aval.ndim)
    if any(v.aval.shape[axis] != leaves[0].aval.shape[axis] for v in leaves):
        raise ValueError(
            "Array inputs to associative_scan must have the same size along axis "
            f"{axis}, got {', '.join(v.aval.str_short() for v in leaves)}.{here()}"
        )
    axes = [axis % v.aval.ndim for v in leaves]
    if reverse:
        leaves = [rev(v, (a,)) for v, a in zip(leaves, axes, strict=True)]

    def combine(a: Sequence[Array], b: Sequence[Array]) -> list[Array]:
        out = fn(tree.unflatten(treedef, a), tree.unflatten(treedef, b))
        return [as_value(x) for x in tree.leaves(out)]

    results = _prefixes(combine, leaves, axes)
    if reverse:
        results = [rev(v, (a,)) for v, a in zip(results, axes, strict=True)]
    return tree.unflatten(treedef, results)


def _prefixes(combine: Any, leaves: list[Array], axes: list[int]) -> list[Array]:
    n = leaves[0].aval.shape[axes[0]]
    if n < 2:
        return leaves
    # neighbours combined give every odd prefix; the even ones lack one element more
    firsts = [_every_other(v, a, 0, n - 1) for v, a in zip(leaves, axes, strict=True)]
    seconds = [_every_other(v, a, 1, n) for v, a in zip(leaves, axes, strict=True)]
    odd = _prefixes(combine, combine(firsts, seconds), axes)
    later = [_every_other(v, a, 2, n) for v, a in zip(leaves, axes, strict=True)]
    count = (n - 1) // 2
    before = [_cut(v, a, 0, count) for v, a in zip(odd, axes, strict=True)]
    even = [
        concatenate([_cut(v, a, 0, 1), e], a)
        for v, e, a in zip(leaves, combine(before, later) if count else later, axes, strict=True)
    ]
    return [_interleave(e, o, a) for e, o, a in zip(even, odd, axes, strict=True)]


def _cut(x: Array, axis: int, start: int, stop: int, stride: int = 1) -> Any:
    starts, stops, strides = [0] * x.aval.ndim, list(x.aval.shape), [1] * x.aval.ndim
    starts[axis], stops[axis], strides[axis] = start, max(stop, start), stride
    return slice_(x, starts, stops, strides)


def _every_other(x: Array, axis: int, start: int, stop: int) -> Any:
    return _cut(x, axis, min(start, x.aval.shape[axis]), stop, 2)


def _interleave(even: Array, odd: Array, axis: int) -> Any:
    """even[0], odd[0], even[1], …: ``even`` has as many elements or one more."""
    n, m = even.aval.shape[axis], odd.aval.shape[axis]
    if n > m:
        config = [(0, 0, 0)] * odd.aval.ndim
        config[axis] = (0, 1, 0)
        odd = pad(odd, scalar(0, odd.aval.dtype), config)
    pairs = concatenate([expand_dims(even, (axis + 1,)), expand_dims(odd, (axis + 1,))], axis + 1)
    shape = list(even.aval.shape)
    shape[axis] = 2 * n
    return _cut(reshape(pairs, shape), axis, 0, n + m)
