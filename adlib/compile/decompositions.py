"""Primitives that are nothing but simpler ones, for the schedule: written out as equations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.core.array import scalar
from adlib.core.jaxpr import Atom, Eqn, Literal, Var
from adlib.core.primitive import registry

_INT64 = np.dtype(np.int64)


class Writing:
    """Writes equations that compute the results of another one."""

    def __init__(self, eqn: Eqn) -> None:
        self.eqn = eqn
        self.eqns: list[Eqn] = []

    def __call__(self, name: str, *operands: Atom, into: Var | None = None, **params: Any) -> Var:
        primitive = registry[name]
        (aval,) = primitive.abstract([a.aval for a in operands], params)
        out = into or Var(aval.strip_weak_type())
        self.eqns.append(Eqn(primitive, list(operands), [out], params, self.eqn.source))
        return out

    def number(self, value: Any, dtype: Any) -> Literal:
        return Literal(scalar(value, dtype))


def simpler(eqn: Eqn, native: frozenset[np.dtype[Any]]) -> tuple[list[Eqn], list[Var]] | None:
    """The equations that compute the results of ``eqn``, or None where it stays as it is."""
    rule = _RULES.get(eqn.primitive.name)
    if rule is None or any(v.aval.dtype not in native for v in (*eqn.invars, *eqn.outvars)):
        return None
    writing = Writing(eqn)
    rule(writing)
    return writing.eqns, eqn.outvars


def _split(w: Writing) -> None:
    (x,), axis = w.eqn.invars, w.eqn.params["axis"]
    shape = x.aval.shape
    start = 0
    for size, out in zip(w.eqn.params["sizes"], w.eqn.outvars, strict=True):
        starts = tuple([start if d == axis else 0 for d in range(len(shape))])
        limits = tuple([start + size if d == axis else n for d, n in enumerate(shape)])
        w("slice", x, into=out, start_indices=starts, limit_indices=limits, strides=None)
        start += size


def _unstack(w: Writing) -> None:
    (x,), axis = w.eqn.invars, w.eqn.params["axis"]
    shape = x.aval.shape
    for i, out in enumerate(w.eqn.outvars):
        starts = tuple([i if d == axis else 0 for d in range(len(shape))])
        limits = tuple([i + 1 if d == axis else n for d, n in enumerate(shape)])
        row = w("slice", x, start_indices=starts, limit_indices=limits, strides=None)
        w("squeeze", row, into=out, dimensions=(axis,))


def _tile(w: Writing) -> None:
    (x,), reps = w.eqn.invars, w.eqn.params["reps"]
    shape = x.aval.shape
    wide = tuple([n for pair in zip(reps, shape, strict=True) for n in pair])
    own = tuple(range(1, 2 * len(shape), 2))
    repeated = w("broadcast_in_dim", x, shape=wide, broadcast_dimensions=own)
    out = w.eqn.outvars[0]
    w("reshape", repeated, into=out, new_sizes=out.aval.shape, dimensions=None)


def _position_of(extremum: str) -> Callable[[Writing], None]:
    """The first place that holds the extremum; a NaN counts as one."""

    def rule(w: Writing) -> None:
        (x,), (axis,) = w.eqn.invars, w.eqn.params["axes"]
        shape = x.aval.shape
        kept = tuple([d for d in range(len(shape)) if d != axis])
        best = w(extremum, x, axes=(axis,))
        back = w("broadcast_in_dim", best, shape=shape, broadcast_dimensions=kept)
        hit = w("eq", x, back)
        if x.aval.dtype.kind == "f":
            hit = w("or", hit, w("ne", x, x))
        places = w("iota", dtype=_INT64, shape=shape, dimension=axis, sharding=None)
        last = w.number(shape[axis], _INT64)
        first = w("reduce_min", w("select_n", hit, last, places), axes=(axis,))
        dtype = w.eqn.params["index_dtype"]
        w(
            "convert_element_type",
            first,
            into=w.eqn.outvars[0],
            new_dtype=dtype,
            weak_type=False,
        )

    return rule


_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def _threefry(w: Writing) -> None:
    """See ops/threefry.py, whose arithmetic this is."""
    u32 = np.dtype(np.uint32)
    shape = w.eqn.outvars[0].aval.shape
    k0, k1, x0, x1 = [_filled(w, a, shape) for a in w.eqn.invars]

    def rotated(x: Var, r: int) -> Var:
        left = w("shift_left", x, w.number(r, u32))
        return w("or", left, w("shift_right_logical", x, w.number(32 - r, u32)))

    keys = (k0, k1, w("xor", w("xor", k0, k1), w.number(_PARITY, u32)))
    x0, x1 = w("add", x0, k0), w("add", x1, k1)
    for i in range(5):
        for r in _ROTATIONS[i % 2]:
            x0 = w("add", x0, x1)
            x1 = w("xor", rotated(x1, r), x0)
        last = i == 4
        outs: Sequence[Var | None] = w.eqn.outvars if last else (None, None)
        x0 = w("add", x0, keys[(i + 1) % 3], into=outs[0])
        bumped = w("add", x1, keys[(i + 2) % 3])
        x1 = w("add", bumped, w.number(i + 1, u32), into=outs[1])


def _filled(w: Writing, atom: Atom, shape: tuple[int, ...]) -> Any:
    if atom.aval.shape == shape or not atom.aval.shape:
        return atom
    dims = tuple(range(len(shape)))
    return w("broadcast_in_dim", atom, shape=shape, broadcast_dimensions=dims)


_RULES: dict[str, Callable[[Writing], None]] = {
    "split": _split,
    "unstack": _unstack,
    "tile": _tile,
    "argmax": _position_of("reduce_max"),
    "argmin": _position_of("reduce_min"),
    "threefry2x32": _threefry,
}
