"""Primitives that are nothing but simpler ones, for the schedule: written out as equations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.compile import dots, special_forms
from adlib.compile.builder import FLOAT32
from adlib.compile.elements import COMPLEX
from adlib.compile.half_types import HALVES
from adlib.compile.loopir import part_type
from adlib.compile.writing import Writing
from adlib.core import dtypes
from adlib.core.jaxpr import Atom, Eqn, Var

_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)


def simpler(eqn: Eqn, native: frozenset[np.dtype[Any]]) -> tuple[list[Eqn], list[Var]] | None:
    """The equations that compute the results of ``eqn``, or None where it stays as it is.

    A rule that writes nothing leaves it as it is.
    """
    rule = _RULES.get(eqn.primitive.name)
    if rule is None or any(v.aval.dtype not in native for v in (*eqn.invars, *eqn.outvars)):
        return None
    writing = Writing(eqn)
    rule(writing)
    return (writing.eqns, eqn.outvars) if writing.eqns else None


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
        if dtypes.is_float(x.aval.dtype):
            hit = w("or", hit, w("ne", x, x))
        place = _INT32 if shape[axis] < 1 << 31 else _INT64
        places = w("iota", dtype=place, shape=shape, dimension=axis, sharding=None)
        last = w.number(shape[axis], place)
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


# ------------------------------------------------------------------------- types


def _in_float32(w: Writing) -> None:
    """Reductions of 16-bit floats are rounded once, at the end."""
    (x,), (out,) = w.eqn.invars, w.eqn.outvars
    if out.aval.dtype in HALVES:
        wide = w(w.eqn.primitive.name, w.converted(x, FLOAT32), **w.eqn.params)
        w.converted(wide, out.aval.dtype, out)


def _bitcast(w: Writing) -> None:
    """Bits of one number as several, or of several as one: shifted, the lowest first."""
    (x,), (out,) = w.eqn.invars, w.eqn.outvars
    old, new = x.aval.dtype.itemsize, out.aval.dtype.itemsize
    if old == new or sys.byteorder != "little":
        return
    wide = np.dtype(f"u{max(old, new)}")
    words: Atom = w("bitcast_convert_type", x, new_dtype=np.dtype(f"u{old}"))
    if old > new:
        shape = out.aval.shape
        words = w("broadcast_in_dim", words, shape=shape, **_first_axes(x.aval.shape))
    else:
        shape = x.aval.shape
        words = w.converted(words, wide)
    last = len(shape) - 1
    number = w("iota", dtype=wide, shape=shape, dimension=last, sharding=None)
    bits = w("mul", number, w.number(8 * min(old, new), wide))
    if old > new:
        words = w.converted(w("shift_right_logical", words, bits), np.dtype(f"u{new}"))
    else:
        words = w("reduce_or", w("shift_left", words, bits), axes=(last,))
    w("bitcast_convert_type", words, into=out, new_dtype=out.aval.dtype)


def _stays(w: Writing) -> None:
    """A move to the device where an array is already."""
    if w.eqn.params["platform"] == w.eqn.params["source"]:
        w("copy", w.eqn.invars[0], into=w.eqn.outvars[0])


def _first_axes(shape: tuple[int, ...]) -> dict[str, Any]:
    return {"broadcast_dimensions": tuple(range(len(shape)))}


def _product(w: Writing) -> None:
    """A product of numbers of several types, or narrow ones, is one in a type that holds all."""
    (x, y), (out,) = w.eqn.invars, w.eqn.outvars
    given = [v.aval.dtype for v in (x, y, out)]
    wide = [FLOAT32 if d in HALVES else d for d in given]
    work = dtypes.promote(*[(d, False) for d in wide])[0]
    if len({*given, work}) == 1 or (dots.is_outer(w.eqn) and len(set(given)) == 1):
        return
    params = {**w.eqn.params, "preferred_element_type": work}
    into = out if out.aval.dtype == work else None
    last = Eqn(w.eqn.primitive, [x, y], [into or Var(out.aval.update(dtype=work))], params)
    if dots.is_outer(w.eqn) or not dots.as_loops(last):  # loops convert what they read
        x, y = w.converted(x, work), w.converted(y, work)
    elif into is not None and w.eqn.params["preferred_element_type"] == work:
        return
    found = w("dot_general", x, y, into=into, **params)
    if into is None:
        w.converted(found, out.aval.dtype, out)


# Primitives that are linear in each of two operands, which may be complex.
_BILINEAR = frozenset({"conv_general_dilated"})
_LINEAR = frozenset({"reduce_window_sum"})


def of_known_types(eqn: Eqn, known: Callable[[Eqn], bool]) -> tuple[list[Eqn], list[Var]] | None:
    """The equations that compute ``eqn`` by others of its primitive on types that are ``known``.

    16-bit floats are computed with in float32, and what is linear on complex numbers on their
    parts. None where that does not help.
    """
    if not eqn.primitive.first_order or eqn.has_effect:
        return None
    found = {v.aval.dtype for v in (*eqn.invars, *eqn.outvars)}
    w = Writing(eqn)
    if found & HALVES:
        done = _in_wider(w, known)
    elif eqn.primitive.name in _BILINEAR | _LINEAR and found <= COMPLEX:
        done = _by_parts(w, known)
    else:
        done = False
    return (w.eqns, eqn.outvars) if done else None


def _typed(w: Writing, change: Callable[[Any], Any], operands: Sequence[Atom]) -> Eqn:
    """The equation on operands of other types, with results of the types that follow."""
    eqn = w.eqn
    params = {k: change(v) if isinstance(v, np.dtype) else v for k, v in eqn.params.items()}
    outs = [Var(v.aval.update(dtype=change(v.aval.dtype))) for v in eqn.outvars]
    return Eqn(eqn.primitive, list(operands), outs, params, eqn.source)


def _in_wider(w: Writing, known: Callable[[Eqn], bool]) -> bool:
    wide = _typed(
        w,
        lambda d: FLOAT32 if d in HALVES else d,
        [w.converted(x, FLOAT32) if x.aval.dtype in HALVES else x for x in w.eqn.invars],
    )
    if not known(wide):
        return False
    w.eqns.append(wide)
    for made, out in zip(wide.outvars, w.eqn.outvars, strict=True):
        w.converted(made, out.aval.dtype, out)
    return True


def _by_parts(w: Writing, known: Callable[[Eqn], bool]) -> bool:
    parts = [(w("real", x), w("imag", x)) for x in w.eqn.invars]

    def applied(*operands: Atom) -> Var | None:
        new = _typed(w, lambda d: part_type(d) if d in COMPLEX else d, operands)
        w.eqns.append(new)
        return new.outvars[0] if known(new) else None

    if len(parts) == 1:
        re, im = [applied(p) for p in parts[0]]
    else:
        (a, b), (c, d) = parts
        first, second, third, fourth = applied(a, c), applied(b, d), applied(a, d), applied(b, c)
        if first is None or second is None or third is None or fourth is None:
            return False
        re, im = w("sub", first, second), w("add", third, fourth)
    if re is None or im is None:
        return False
    w("complex", re, im, into=w.eqn.outvars[0])
    return True


_RULES: dict[str, Callable[[Writing], None]] = {
    **special_forms.RULES,
    **dict.fromkeys(
        "reduce_sum reduce_prod reduce_max reduce_min cumsum cumprod cummax cummin "
        "cumlogsumexp".split(),
        _in_float32,
    ),
    "dot_general": _product,
    "bitcast_convert_type": _bitcast,
    "device_put": _stays,
    "split": _split,
    "unstack": _unstack,
    "tile": _tile,
    "argmax": _position_of("reduce_max"),
    "argmin": _position_of("reduce_min"),
    "threefry2x32": _threefry,
}
