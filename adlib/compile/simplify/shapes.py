"""Chains of operations that only move elements: broadcast, reshape, transpose, slice, pad, …

Exact, with one exception: a sum over axes of size 1 becomes a reshape, so that -0.0 stays -0.0
where the sum would have started from 0.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from adlib.compile.simplify.algebra import Found, _becomes, _instead
from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal

Shape = tuple[int, ...]


def simplify_shapes(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Make one operation of each chain, and none of what changes nothing."""
    return rewrite(closed, _rule, log, RULES)


def _rule(eqn: Eqn, writer: Writer) -> Found:
    return RULES[eqn.primitive.name](eqn, writer)


def _reshape_to(eqn: Eqn, writer: Writer, x: Atom, why: str) -> Found:
    shape = eqn.outvars[0].aval.shape
    if x.aval.shape == shape:
        return _becomes(eqn, writer, x, why)
    return _instead(eqn, writer, why, "reshape", x, new_sizes=shape, dimensions=None)


def _reshape(eqn: Eqn, writer: Writer) -> Found:
    """Reshape, squeeze."""
    (x, *_) = eqn.invars
    if eqn.params.get("dimensions") is not None and eqn.primitive.name == "reshape":
        return None
    if x.aval.shape == eqn.outvars[0].aval.shape:
        return _becomes(eqn, writer, x, "it has that shape already")
    inner = writer.made_by(x, "reshape", "squeeze", "broadcast_in_dim")
    if inner is None:
        return None
    source = inner.invars[0]
    if inner.primitive.name == "broadcast_in_dim":
        if source.aval.size != x.aval.size or type(source) is Literal:
            return None
    elif inner.primitive.name == "reshape" and inner.params["dimensions"] is not None:
        return None
    return _reshape_to(eqn, writer, source, "two reshapes are one")


def _broadcast(eqn: Eqn, writer: Writer) -> Found:
    (x, *_) = eqn.invars
    shape, dims = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    if len(eqn.invars) > 1:
        return None
    if x.aval.shape == shape:
        return _becomes(eqn, writer, x, "it has that shape already")
    inner = writer.made_by(x, "broadcast_in_dim")
    if inner is not None and len(inner.invars) == 1:
        places = tuple([dims[d] for d in inner.params["broadcast_dimensions"]])
        params = {**eqn.params, "broadcast_dimensions": places}
        why = "two broadcasts are one"
        return _instead(eqn, writer, why, "broadcast_in_dim", inner.invars[0], **params)
    inner = writer.made_by(x, "reshape", "squeeze")
    if inner is not None:
        source = inner.invars[0]
        places_ = _through_units(source.aval.shape, x.aval.shape, dims)
        if places_ is not None:
            params = {**eqn.params, "broadcast_dimensions": places_}
            why = "a reshape by axes of size 1 belongs to the broadcast"
            return _instead(eqn, writer, why, "broadcast_in_dim", source, **params)
    return None


def _through_units(source: Shape, middle: Shape, dims: Shape) -> Shape | None:
    """Places of source's axes, where a reshape to ``middle`` only took axes of size 1 away."""
    big = [d for d, n in zip(dims, middle, strict=True) if n != 1]
    if tuple(n for n in source if n != 1) != tuple(n for n in middle if n != 1):
        return None
    if any(n == 1 for n in source):
        return None  # they would need places of their own
    return tuple(big)


def _transpose(eqn: Eqn, writer: Writer) -> Found:
    (x,) = eqn.invars
    permutation = eqn.params["permutation"]
    if permutation == tuple(range(len(permutation))):
        return _becomes(eqn, writer, x, "it permutes nothing")
    inner = writer.made_by(x, "transpose")
    if inner is not None:
        first = inner.params["permutation"]
        both = tuple([first[p] for p in permutation])
        if both == tuple(range(len(both))):
            return _becomes(eqn, writer, inner.invars[0], "a transpose and back")
        why = "two transposes are one"
        return _instead(eqn, writer, why, "transpose", inner.invars[0], permutation=both)
    inner = writer.made_by(x, "broadcast_in_dim")
    if inner is not None and len(inner.invars) == 1:
        places = tuple([permutation.index(d) for d in inner.params["broadcast_dimensions"]])
        if places == tuple(sorted(places)):
            params = {**inner.params, "shape": eqn.outvars[0].aval.shape}
            params["broadcast_dimensions"] = places
            why = "the transpose of a broadcast is a broadcast"
            return _instead(eqn, writer, why, "broadcast_in_dim", inner.invars[0], **params)
    moved = [p for p in permutation if x.aval.shape[p] != 1]
    if moved == sorted(moved):
        return _reshape_to(eqn, writer, x, "it only moves axes of size 1")
    return None


def _slice(eqn: Eqn, writer: Writer) -> Found:
    (x,) = eqn.invars
    starts, limits = eqn.params["start_indices"], eqn.params["limit_indices"]
    strides = eqn.params["strides"] or (1,) * len(starts)
    if x.aval.shape == eqn.outvars[0].aval.shape:
        return _becomes(eqn, writer, x, "it takes everything")
    inner = writer.made_by(x, "slice", "concatenate", "broadcast_in_dim", "pad")
    if inner is None or 0 in eqn.outvars[0].aval.shape:
        return None
    if inner.primitive.name == "slice":
        first = inner.params["start_indices"]
        steps = inner.params["strides"] or (1,) * len(starts)
        joined: dict[str, Any] = dict(
            start_indices=tuple([a + s * t for a, s, t in zip(first, starts, steps, strict=True)]),
            limit_indices=tuple(
                [a + (m - 1) * t + 1 for a, m, t in zip(first, limits, steps, strict=True)]
            ),
            strides=_strides([s * t for s, t in zip(strides, steps, strict=True)]),
        )
        return _instead(eqn, writer, "two slices are one", "slice", inner.invars[0], **joined)
    if inner.primitive.name == "concatenate":
        return _slice_of_pieces(eqn, writer, inner)
    if inner.primitive.name == "pad":
        return _slice_of_pad(eqn, writer, inner)
    if len(inner.invars) == 1 and not inner.invars[0].aval.shape:
        params = {**inner.params, "shape": eqn.outvars[0].aval.shape}
        why = "a slice of a broadcast number is a smaller broadcast"
        return _instead(eqn, writer, why, "broadcast_in_dim", inner.invars[0], **params)
    return None


def _strides(steps: Sequence[int]) -> Shape | None:
    return None if all(s == 1 for s in steps) else tuple(steps)


def _slice_of_pieces(eqn: Eqn, writer: Writer, inner: Eqn) -> Found:
    """A slice that lies within one piece of a concatenation."""
    axis = inner.params["dimension"]
    starts, limits = list(eqn.params["start_indices"]), list(eqn.params["limit_indices"])
    begin = 0
    for piece in inner.invars:
        end = begin + piece.aval.shape[axis]
        if begin <= starts[axis] and limits[axis] <= end:
            starts[axis] -= begin
            limits[axis] -= begin
            params = {**eqn.params, "start_indices": tuple(starts), "limit_indices": tuple(limits)}
            why = "the slice lies within one piece of the concatenation"
            if tuple(limits) == piece.aval.shape and not any(starts) and not eqn.params["strides"]:
                return _becomes(eqn, writer, piece, why)
            return _instead(eqn, writer, why, "slice", piece, **params)
        begin = end
    return None


def _slice_of_pad(eqn: Eqn, writer: Writer, inner: Eqn) -> Found:
    """A slice that takes nothing of the padding."""
    config = inner.params["padding_config"]
    if any(gap for _, _, gap in config):
        return None
    starts = [s - low for s, (low, _, _) in zip(eqn.params["start_indices"], config, strict=True)]
    limits = [m - low for m, (low, _, _) in zip(eqn.params["limit_indices"], config, strict=True)]
    source = inner.invars[0]
    inside = zip(starts, limits, source.aval.shape, strict=True)
    if not all(0 <= s and m <= n for s, m, n in inside):
        return None
    why = "the slice takes nothing of the padding"
    if tuple(limits) == source.aval.shape and not any(starts) and not eqn.params["strides"]:
        return _becomes(eqn, writer, source, why)
    params = {**eqn.params, "start_indices": tuple(starts), "limit_indices": tuple(limits)}
    return _instead(eqn, writer, why, "slice", source, **params)


def _pad(eqn: Eqn, writer: Writer) -> Found:
    if not any(any(sides) for sides in eqn.params["padding_config"]):
        return _becomes(eqn, writer, eqn.invars[0], "it pads nothing")
    return None


def _concatenate(eqn: Eqn, writer: Writer) -> Found:
    if len(eqn.invars) == 1:
        return _becomes(eqn, writer, eqn.invars[0], "there is one piece only")
    return None


def _rev(eqn: Eqn, writer: Writer) -> Found:
    (x,) = eqn.invars
    if all(x.aval.shape[d] == 1 for d in eqn.params["dimensions"]):
        return _becomes(eqn, writer, x, "it reverses nothing")
    inner = writer.made_by(x, "rev")
    if inner is not None and set(inner.params["dimensions"]) == set(eqn.params["dimensions"]):
        return _becomes(eqn, writer, inner.invars[0], "reversed twice")
    return None


def _unstack(eqn: Eqn, writer: Writer) -> Found:
    inner = writer.made_by(eqn.invars[0], "stack")
    if inner is None or inner.params["axis"] != eqn.params["axis"]:
        return None
    writer.log.note(eqn, "removed: it takes apart what was stacked", inner)
    return inner.invars


def _split(eqn: Eqn, writer: Writer) -> Found:
    inner = writer.made_by(eqn.invars[0], "concatenate")
    axis = eqn.params["axis"]
    if inner is None or inner.params["dimension"] != axis:
        return None
    if tuple([p.aval.shape[axis] for p in inner.invars]) != tuple(eqn.params["sizes"]):
        return None
    writer.log.note(eqn, "removed: it takes apart what was joined", inner)
    return inner.invars


def _reduce(eqn: Eqn, writer: Writer) -> Found:
    (x,) = eqn.invars
    if x.aval.dtype != eqn.outvars[0].aval.dtype:
        return None
    if all(x.aval.shape[d] == 1 for d in eqn.params["axes"]):
        return _reshape_to(eqn, writer, x, "it reduces axes of size 1 only")
    return None


def _dynamic_slice(eqn: Eqn, writer: Writer) -> Found:
    x, *indices = eqn.invars
    values = [writer.value_of(i) for i in indices]
    places = [int(v) for v in values if v is not None]
    if len(places) < len(indices):
        return None
    sizes = eqn.params["slice_sizes"]
    room = zip(places, sizes, x.aval.shape, strict=True)
    starts = tuple([min(max(place, 0), n - s) for place, s, n in room])
    limits = tuple([a + s for a, s in zip(starts, sizes, strict=True)])
    params: dict[str, Any] = dict(start_indices=starts, limit_indices=limits, strides=None)
    why = "it starts at constant indices"
    if math.prod(sizes) == x.aval.size:
        return _becomes(eqn, writer, x, why)
    return _instead(eqn, writer, why, "slice", x, **params)


_SCALAR_OPERANDS = frozenset(
    "add sub mul div max min pow rem atan2 and or xor nextafter eq ne lt le gt ge add_any".split()
)


def _scalar_operand(eqn: Eqn, writer: Writer) -> Found:
    """A number that was broadcast to meet an array: elementwise operations do that themselves."""
    if eqn.primitive.name == "add_any":
        return None
    shape = eqn.outvars[0].aval.shape
    x, y = eqn.invars
    if not shape:
        return None
    if eqn.primitive.name in ("mul", "div"):
        found = _scaled_transpose(eqn, writer)
        if found is not None:
            return found
    for position, (operand, other) in enumerate(((x, y), (y, x))):
        made = writer.made_by(operand, "broadcast_in_dim")
        if made is None or made.invars[0].aval.shape or other.aval.shape not in (shape, ()):
            continue
        operands = [made.invars[0], other] if position == 0 else [other, made.invars[0]]
        if not other.aval.shape:
            result = writer.emit(eqn.primitive, operands, **eqn.params)
            why = "computed with the numbers, then broadcast"
            return _instead(eqn, writer, why, "broadcast_in_dim", *result, **made.params)
        why = "the number need not be broadcast"
        return _instead(eqn, writer, why, eqn.primitive.name, *operands, **eqn.params)
    return None


def _scaled_transpose(eqn: Eqn, writer: Writer) -> Found:
    """A number times a transpose is the transpose of the product: a matrix product may take it."""
    sides = (0, 1) if eqn.primitive.name == "mul" else (0,)
    for side in sides:
        made = writer.made_by(eqn.invars[side], "transpose")
        if made is None or eqn.invars[1 - side].aval.shape:
            continue
        if writer.made_by(made.invars[0], "dot_general") is not None:
            continue  # the transpose will go into that product
        operands = [made.invars[0] if k == side else v for k, v in enumerate(eqn.invars)]
        scaled = writer.emit(eqn.primitive, operands, **eqn.params)
        why = "scaled before it is transposed"
        return _instead(eqn, writer, why, "transpose", *scaled, **made.params)
    return None


_UNARY = frozenset(
    "neg exp exp2 log log1p expm1 sin cos tan tanh logistic sqrt rsqrt cbrt abs sign floor ceil "
    "round square integer_pow not is_finite erf erfc erf_inv lgamma digamma asin acos atan sinh "
    "cosh asinh acosh atanh real imag conj".split()
)


def _unary(eqn: Eqn, writer: Writer) -> Found:
    """A function of a broadcast value: computed before, on fewer elements."""
    made = writer.made_by(eqn.invars[0], "broadcast_in_dim")
    if made is None or len(made.invars) > 1 or type(made.invars[0]) is Literal:
        return None
    if made.invars[0].aval.ndim == eqn.invars[0].aval.ndim and (
        made.invars[0].aval.size == eqn.invars[0].aval.size
    ):
        return None
    results = writer.emit(eqn.primitive, made.invars, **eqn.params)
    why = f"{eqn.primitive.name} of the value before it is broadcast"
    return _instead(eqn, writer, why, "broadcast_in_dim", *results, **made.params)


RULES: dict[str, Callable[[Eqn, Writer], Found]] = {
    **{name: _unary for name in _UNARY},
    **{name: _scalar_operand for name in _SCALAR_OPERANDS},
    "reshape": _reshape,
    "squeeze": _reshape,
    "broadcast_in_dim": _broadcast,
    "transpose": _transpose,
    "slice": _slice,
    "pad": _pad,
    "concatenate": _concatenate,
    "rev": _rev,
    "unstack": _unstack,
    "split": _split,
    "reduce_sum": _reduce,
    "reduce_max": _reduce,
    "reduce_min": _reduce,
    "reduce_prod": _reduce,
    "reduce_and": _reduce,
    "reduce_or": _reduce,
    "dynamic_slice": _dynamic_slice,
}
