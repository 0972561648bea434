"""What one linear operation does to a sparsity pattern.

The pattern of a value is a boolean matrix: a row for each entry of the value, a column for each
entry of the input, True where the former depends on the latter. A linear operation has a
pattern of its own, from the entries of an operand to those of its result, and the chain rule is
the product of patterns over the booleans (or for +, and for ×).

Most operations treat each axis by itself, so their patterns are Kronecker products of small
ones: the identity for an axis that is kept, a row of ones for one that is summed, a triangle
for a cumulative sum, a band for a window.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from adlib.core.array import as_value, to_numpy
from adlib.core.jaxpr import Eqn
from adlib.ops.indexing import gathered_updates

Pattern = Any  # scipy.sparse.csr_array of booleans


class Value:
    """What is known of a value: its pattern (None: no tangent in it) and its entries (or None)."""

    __slots__ = ("known", "pattern", "shape")

    def __init__(self, shape: tuple[int, ...], pattern: Pattern | None, known: Any = None) -> None:
        self.shape = shape
        self.pattern = pattern
        self.known = known  # an ArrayImpl

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def identity(n: int) -> Pattern:
    return sp.eye_array(n, dtype=bool, format="csr")


def full(m: int, n: int) -> Pattern:
    return sp.csr_array(np.ones((m, n), bool))


def outer(parts: Sequence[Pattern]) -> Pattern:
    """The pattern of an operation that does ``parts[k]`` along axis k."""
    return sp.csr_array(functools.reduce(lambda a, b: sp.kron(a, b, "csr"), parts, full(1, 1)))


def union(patterns: Sequence[Pattern | None]) -> Pattern | None:
    """True where any of the patterns is."""
    there = [p for p in patterns if p is not None]
    return functools.reduce(lambda a, b: a + b, there) if there else None


def rows_of(pattern: Pattern, shape: tuple[int, ...], new_shape: tuple[int, ...]) -> Pattern:
    """The pattern of a value after broadcasting it to ``new_shape``."""
    if shape == new_shape:
        return pattern
    index = np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), new_shape)
    return pattern[index.ravel()]


# ------------------------------------------------------------------------------ rules
# A rule takes the equation and the operands, and returns the pattern of its only result.


def _entrywise(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
    shape = eqn.outvars[0].aval.shape
    return union([rows_of(v.pattern, v.shape, shape) for v in values if v.pattern is not None])


def _product(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
    """Entries are gone where the other factor is known to be zero."""
    pattern = _entrywise(eqn, values)
    factor = next((v.known for v in values if v.pattern is None), None)
    if factor is None or pattern is None or eqn.primitive.name != "mul":
        return pattern
    there = np.broadcast_to(to_numpy(factor) != 0, eqn.outvars[0].aval.shape).ravel()
    return pattern if there.all() else sp.diags_array(there, dtype=bool).tocsr() @ pattern


def _select(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
    which = values[0]
    return _entrywise(eqn, values) if which.known is None else _moved(eqn, values)


def _moved(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
    """Operations that move entries: run them on the entries' numbers."""
    found = _moves(eqn, values)
    return None if found is None else found[0]


def _moves(eqn: Eqn, values: Sequence[Value]) -> list[Pattern] | None:
    """The patterns of all results of an operation that moves entries.

    Number 0 stands for an entry without a tangent. Without the values of the indices there
    is nothing to run.
    """
    params = dict(eqn.params)
    if "fill_value" in params:
        params["fill_value"] = 0
    count = _MOVING[eqn.primitive.name]
    inputs, stacked, start = [], [], 1
    for place, value in enumerate(values):
        if count is not None and place not in count:
            if value.known is None:
                return None
            inputs.append(value.known._value)
        elif value.pattern is None:
            inputs.append(np.zeros(value.shape, np.int32))
        else:
            numbers = np.arange(start, start + value.size, dtype=np.int32)
            inputs.append(numbers.reshape(value.shape))
            stacked.append(value.pattern)
            start += value.size
    blank = sp.csr_array((1, stacked[0].shape[1]), dtype=bool)
    table = sp.vstack([blank, *stacked], format="csr")
    outs = eqn.primitive.kernel(np, params)(*inputs)
    outs = outs if eqn.primitive.multiple_results else [outs]
    return [table[np.asarray(o).ravel()] for o in outs]


def _along_axes(part: Callable[[Eqn, int, int], Pattern]) -> Callable[..., Pattern | None]:
    """A rule from ``part(eqn, axis, size)``, what the operation does along each axis."""

    def rule(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
        (value,) = values
        parts = [part(eqn, axis, size) for axis, size in enumerate(value.shape)]
        return outer(parts) @ value.pattern

    return rule


def _sum_axis(eqn: Eqn, axis: int, size: int) -> Pattern:
    return full(1, size) if axis in eqn.params["axes"] else identity(size)


def _cumulative_axis(eqn: Eqn, axis: int, size: int) -> Pattern:
    if axis != eqn.params["axis"]:
        return identity(size)
    triangle = np.tri(size, dtype=bool)
    return sp.csr_array(triangle.T if eqn.params["reverse"] else triangle)


def _fourier_axis(eqn: Eqn, axis: int, size: int) -> Pattern:
    out = eqn.outvars[0].aval.shape
    kept = axis < len(out) - len(eqn.params["fft_lengths"])
    return identity(size) if kept else full(out[axis], size)


def _window_axis(eqn: Eqn, axis: int, size: int) -> Pattern:
    p = eqn.params
    return band(
        eqn.outvars[0].aval.shape[axis],
        size,
        p["window_dimensions"][axis],
        stride=p["window_strides"][axis],
        low=p["padding"][axis][0],
        base_dilation=p["base_dilation"][axis],
        window_dilation=p["window_dilation"][axis],
    )[0]


def band(
    outs: int,
    size: int,
    taps: int,
    *,
    stride: int,
    low: int,
    base_dilation: int,
    window_dilation: int,
) -> tuple[Pattern, Pattern]:
    """Which places of the input, and which taps, each place of a window's result reads.

    Shapes ``(outs, size)`` and ``(outs, taps)``.
    """
    out, tap = np.meshgrid(np.arange(outs), np.arange(taps), indexing="ij")
    place = out * stride + tap * window_dilation - low
    inside = (place >= 0) & (place % base_dilation == 0) & (place // base_dilation < size)
    o, t, i = out[inside], tap[inside], place[inside] // base_dilation
    one = np.ones(len(o), bool)
    return (
        sp.csr_array(sp.coo_array((one, (o, i)), shape=(outs, size))),
        sp.csr_array(sp.coo_array((one, (o, t)), shape=(outs, taps))),
    )


def _dot(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
    contract, batch = eqn.params["dimension_numbers"]
    patterns = []
    for side, value in enumerate(values):
        if value.pattern is not None:
            other = values[1 - side]
            local = _dot_side(side, value, other, contract, batch)
            patterns.append(local @ value.pattern)
    return union(patterns)


def _dot_side(side: int, value: Value, other: Value, contract: Any, batch: Any) -> Pattern:
    """From the entries of one factor to those of the product, whose axes are batch, left, right."""

    def ordered(which: int, v: Value) -> tuple[list[int], int, int, int]:
        b, c = list(batch[which]), list(contract[which])
        free = [d for d in range(len(v.shape)) if d not in b and d not in c]
        first, second, third = (math.prod(v.shape[d] for d in part) for part in (b, free, c))
        return [*b, *free, *c], first, second, third

    axes, batches, free, summed = ordered(side, value)
    other_axes, _, other_free, _ = ordered(1 - side, other)
    if other.known is None:
        blocks = [full(other_free, summed)] * batches
    else:  # the other factor's zeros are zeros of the derivative
        entries = to_numpy(other.known).transpose(other_axes) != 0
        blocks = [sp.csr_array(b) for b in entries.reshape(batches, other_free, summed)]
    local = sp.block_diag([sp.kron(identity(free), block, "csr") for block in blocks], "csr")
    if side == 1:  # the rows came as batch, right, left
        rows = np.arange(batches * free * other_free).reshape(batches, free, other_free)
        local = local[rows.transpose(0, 2, 1).ravel()]
    columns = np.arange(value.size).reshape(value.shape).transpose(axes).ravel()
    return local @ identity(value.size)[columns]


def _convolution(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
    if eqn.params["batch_group_count"] != 1:
        return None
    spec = eqn.params["dimension_numbers"]
    specs = (spec.lhs_spec, spec.rhs_spec)
    out_shape = eqn.outvars[0].aval.shape
    left, right = ([v.shape[d] for d in s] for v, s in zip(values, specs, strict=True))
    out = [out_shape[d] for d in spec.out_spec]
    groups = eqn.params["feature_group_count"]
    bands = [
        band(
            out[2 + k],
            left[2 + k],
            right[2 + k],
            stride=eqn.params["window_strides"][k],
            low=eqn.params["padding"][k][0],
            base_dilation=eqn.params["lhs_dilation"][k],
            window_dilation=eqn.params["rhs_dilation"][k],
        )
        for k in range(len(out) - 2)
    ]
    channels = sp.kron(identity(groups), full(out[1] // groups, left[1] // groups), "csr")
    local = (
        outer([identity(left[0]), channels, *[b[0] for b in bands]]),
        # the kernel's axes are (out, in, …): its first goes with the result's second
        outer(
            [
                full(out[0], 1),
                sp.kron(identity(out[1]), full(1, right[1]), "csr"),
                *[b[1] for b in bands],
            ]
        ),  # fmt: skip
    )
    rows = np.argsort(np.arange(math.prod(out)).reshape(out_shape).transpose(spec.out_spec).ravel())
    patterns = []
    for side, value in enumerate(values):
        if value.pattern is not None:
            columns = np.arange(value.size).reshape(value.shape).transpose(specs[side]).ravel()
            patterns.append((local[side] @ value.pattern[columns])[rows])
    return union(patterns)


def _scatter(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
    """Each entry keeps its own row and gets those of the updates that land on it."""
    operand, indices, updates = values
    if indices.known is None:
        return None
    numbers = np.arange(operand.size, dtype=np.int32).reshape(operand.shape)
    landing = gathered_updates(
        as_value(numbers),
        indices.known,
        updates.shape,
        dropped=-1,
        **eqn.params,
    )
    place = to_numpy(landing).ravel()
    lands = place >= 0
    found = []
    if operand.pattern is not None:
        kept = np.ones(operand.size, bool)
        if eqn.primitive.name == "scatter":
            kept[place[lands]] = False
        found.append(sp.diags_array(kept, dtype=bool).tocsr() @ operand.pattern)
    if updates.pattern is not None:
        one = np.ones(int(lands.sum()), bool)
        where = (place[lands], np.flatnonzero(lands))
        local = sp.csr_array(sp.coo_array((one, where), shape=(operand.size, updates.size)))
        found.append(local @ updates.pattern)
    return union(found)


def _last_axes(count: int) -> Callable[..., Pattern | None]:
    """Dense in the last ``count`` axes, entry by entry in those before."""

    def rule(eqn: Eqn, values: Sequence[Value]) -> Pattern | None:
        out = eqn.outvars[0].aval.shape
        lead = out[:-count]
        found = []
        for value in values:
            if value.pattern is not None:
                if value.shape[:-count] != lead:
                    return None
                block = full(math.prod(out[-count:]), math.prod(value.shape[-count:]))
                found.append(sp.kron(identity(math.prod(lead)), block, "csr") @ value.pattern)
        return union(found)

    return rule


def dense(size: int, values: Sequence[Value]) -> Pattern | None:
    """Every entry of a result of this size depends on all that any operand depends on."""
    there = [v.pattern for v in values if v.pattern is not None]
    if not there:
        return None
    return full(size, 1) @ (full(1, sum(p.shape[0] for p in there)) @ sp.vstack(there, "csr"))


# Which operands are moved; the others must be known. None: all of them.
_MOVING: dict[str, range | None] = {
    **dict.fromkeys(["reshape", "transpose", "squeeze", "rev", "slice", "broadcast_in_dim"]),
    **dict.fromkeys(["pad", "concatenate", "stack", "unstack", "split", "tile", "expand_dims"]),
    **dict.fromkeys(["gather", "dynamic_slice"], range(1)),
    "dynamic_update_slice": range(2),
    "select_n": range(1, 1000),
}
_ENTRYWISE = (
    "add add_any sub neg div convert_element_type real imag conj complex copy reduce_precision name"
)

_Rule = Callable[[Eqn, Sequence[Value]], Pattern | None]
RULES: dict[str, _Rule] = {
    **dict.fromkeys(_ENTRYWISE.split(), _entrywise),
    **dict.fromkeys(_MOVING, _moved),
    "mul": _product,
    "select_n": _select,
    "reduce_sum": _along_axes(_sum_axis),
    "cumsum": _along_axes(_cumulative_axis),
    "fft": _along_axes(_fourier_axis),
    "reduce_window_sum": _along_axes(_window_axis),
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "triangular_solve": _last_axes(2),
    "scatter": _scatter,
    "scatter-add": _scatter,
    "scatter-sub": _scatter,
    "scatter-mul": _scatter,
}


def result_patterns(eqn: Eqn, values: Sequence[Value]) -> list[Pattern | None]:
    """Patterns of an equation's results; dense where no rule knows better."""
    name, outs = eqn.primitive.name, eqn.outvars
    if name == "optimization_barrier":
        return [v.pattern for v in values]
    found: list[Pattern | None] | None = None
    if name in _MOVING and eqn.primitive.multiple_results:
        moved = _moves(eqn, values)
        found = None if moved is None else list(moved)
    elif name in RULES:
        pattern = RULES[name](eqn, values)
        found = None if pattern is None else [pattern]
    if found is None:
        found = [dense(var.aval.size, values) for var in outs]
    return found
