"""Equations in the form that native code wants, for decompositions.py.

A convolution whose window is the whole input is a matrix product, which blocks its long sums as a
convolution does not. Special functions get operands of one shape, and polygamma functions are made
of others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile.writing import Writing
from adlib.core.jaxpr import Atom, Eqn, Var

_UINT8 = np.dtype(np.uint8)
_INT64, _FLOAT64 = np.dtype(np.int64), np.dtype(np.float64)

# --------------------------------------------------------------- convolutions as products


def convolution(w: Writing) -> None:
    """A convolution that is a matrix product."""
    p = w.eqn.params
    if p["feature_group_count"] != 1 or p["batch_group_count"] != 1:
        return
    if len({v.aval.dtype for v in (*w.eqn.invars, *w.eqn.outvars)}) != 1:
        return
    if any(0 in v.aval.shape for v in (*w.eqn.invars, *w.eqn.outvars)):
        return
    axes = _axes(w)
    # a kernel's cotangent is the same form with few outputs, and sums that are cut anyway
    correlation = p["dimension_numbers"].lhs_spec[1] == 0
    taps = w.eqn.invars[1].aval.shape
    if axes is None or correlation or all(taps[b] == 1 for _, b, _, _ in axes):
        return
    _product(w, axes)


def _axes(w: Writing) -> list[tuple[int, int, int, bool]] | None:
    """(axis of the input, of the kernel, of the result, whether the window covers it) for each
    spatial axis, where each window is one element or the whole axis."""
    p = w.eqn.params
    lhs, rhs, out = p["dimension_numbers"]
    x, y = [v.aval.shape for v in w.eqn.invars]
    made = w.eqn.outvars[0].aval.shape
    found = []
    for i, (a, b, c) in enumerate(zip(lhs[2:], rhs[2:], out[2:], strict=True)):
        if p["padding"][i] != (0, 0) or p["lhs_dilation"][i] != 1:
            return None
        whole = y[b] == x[a] and made[c] == 1 and (p["rhs_dilation"][i] == 1 or y[b] == 1)
        if not whole and (y[b] != 1 or p["window_strides"][i] != 1):
            return None
        found.append((a, b, c, whole))
    return found


def _product(w: Writing, axes: list[tuple[int, int, int, bool]]) -> None:
    x, y = w.eqn.invars
    (out,) = w.eqn.outvars
    lhs, rhs, made = w.eqn.params["dimension_numbers"]
    one = [b for _, b, _, whole in axes if not whole]
    if one:
        y = w("squeeze", y, dimensions=tuple(sorted(one)))

    def moved(axis: int) -> int:
        """An axis of the kernel, once those of one element are gone."""
        return axis - sum([b < axis for b in one])

    summed = sorted([(lhs[1], rhs[1]), *[(a, b) for a, b, _, whole in axes if whole]])
    left, right = tuple([a for a, _ in summed]), tuple([moved(b) for _, b in summed])
    found = w(
        "dot_general",
        x,
        y,
        dimension_numbers=((left, right), ((), ())),
        precision=w.eqn.params["precision"],
        preferred_element_type=out.aval.dtype,
    )
    # the product has the input's free axes in their order, then the outputs
    place = {lhs[0]: made[0], **{a: c for a, _, c, whole in axes if not whole}}
    dims = [*[place[a] for a in range(len(x.aval.shape)) if a in place], made[1]]
    order = tuple(sorted(range(len(dims)), key=dims.__getitem__))
    if list(order) != list(range(len(dims))):
        found = w("transpose", found, permutation=order)
    w(
        "broadcast_in_dim",
        found,
        into=out,
        shape=out.aval.shape,
        broadcast_dimensions=tuple(sorted(dims)),
    )


# --------------------------------------------------------------------- special functions


def spread_out(w: Writing) -> None:
    """An elementwise operation on operands that all have the result's shape, or are scalars."""
    (out,) = w.eqn.outvars
    shape = out.aval.shape
    if all(a.aval.shape in ((), shape) for a in w.eqn.invars):
        return
    operands = [_shaped(w, a, out) if a.aval.shape else a for a in w.eqn.invars]
    w(w.eqn.primitive.name, *operands, into=out, **w.eqn.params)


def polygamma(w: Writing) -> None:
    """(-1)^(m+1) m! ζ(m+1, x), and digamma for m = 0; NaN where m is no order."""
    m, x = w.eqn.invars
    (out,) = w.eqn.outvars
    dtype = out.aval.dtype
    if dtype.kind != "f" or dtype.itemsize < 4:
        return

    def number(value: Any, like: Atom) -> Atom:
        return _shaped(w, w.number(value, dtype), like)

    above = w("add", m, w.number(1, dtype))
    even = w("eq", w("rem", m, w.number(2, dtype)), w.number(0, dtype))
    sign = w("select_n", even, number(1, m), number(-1, m))
    higher = w("mul", w("mul", sign, w("exp", w("lgamma", above))), w("zeta", above, x))
    is_zero = _shaped(w, w("eq", m, w.number(0, dtype)), out)
    found = w("select_n", is_zero, _shaped(w, higher, out), _shaped(w, w("digamma", x), out))
    whole = w("and", w("ge", m, w.number(0, dtype)), w("eq", m, w("floor", m)))
    w("select_n", _shaped(w, whole, out), number(np.nan, out), found, into=out)


def integer_order(w: Writing) -> None:
    """The order of an exponential integral as an integer: none, -1, where it is out of range."""
    n, x = w.eqn.invars
    (out,) = w.eqn.outvars
    dtype = out.aval.dtype
    if dtype.kind != "f" or dtype.itemsize < 4 or n.aval.dtype != dtype:
        return
    known = w("lt", w("abs", n), _shaped(w, w.number(2.0**31, dtype), n))
    order = w.converted(w("select_n", known, _shaped(w, w.number(-1, dtype), n), n), _INT64)
    operands = [
        _shaped(w, v, out) if v.aval.shape else v for v in (order, w.converted(x, _FLOAT64))
    ]
    wide = Var(out.aval.update(dtype=_FLOAT64))
    w.eqns.append(Eqn(w.eqn.primitive, operands, [wide], {}, w.eqn.source))
    w.converted(wide, dtype, out)


def _shaped(w: Writing, x: Atom, like: Atom) -> Atom:
    """Broadcast to the shape of another value."""
    shape = like.aval.shape
    if x.aval.shape == shape:
        return x
    dims = tuple(range(len(shape))) if x.aval.shape else ()
    return w("broadcast_in_dim", x, shape=shape, broadcast_dimensions=dims)


# ----------------------------------------------------------------------------- sorts


def sort_of_parts(w: Writing) -> None:
    """A sort of complex numbers as one of their parts.

    A key becomes three: whether its parts are NaN, which come last, those of the real part behind
    those of the imaginary one; then its parts.
    """
    eqn, keys = w.eqn, w.eqn.params["num_keys"]
    split = [
        x.aval.dtype.kind == "c" and (k < keys or x.aval.dtype.itemsize == 16)
        for k, x in enumerate(eqn.invars)
    ]
    if not any(split):
        return
    operands: list[Atom] = []
    made: list[Var] = []
    pairs: list[tuple[Var, Var, Var]] = []
    for k, (x, out) in enumerate(zip(eqn.invars, eqn.outvars, strict=True)):
        if not split[k]:
            operands.append(x)
            made.append(out)
            continue
        parts = [w("real", x), w("imag", x)]
        if k < keys:
            operands.append(_nan_parts(w, *parts))
            made.append(Var(operands[-1].aval))
        operands += parts
        pairs.append((Var(parts[0].aval), Var(parts[1].aval), out))
        made += pairs[-1][:2]
    params = {**eqn.params, "num_keys": keys + 2 * sum(split[:keys])}
    w.eqns.append(Eqn(eqn.primitive, operands, made, params, eqn.source))
    for re, im, out in pairs:
        w("complex", re, im, into=out)


def _nan_parts(w: Writing, re: Atom, im: Atom) -> Var:
    """0, plus 2 where the real part is NaN, plus 1 where the imaginary one is."""
    first, second = [w.converted(w("ne", x, x), _UINT8) for x in (re, im)]
    return w("add", w("add", first, first), second)


RULES: dict[str, Callable[[Writing], None]] = {
    "conv_general_dilated": convolution,
    "polygamma": polygamma,
    "sort": sort_of_parts,
    **dict.fromkeys(
        "zeta igamma igammac regularized_incomplete_beta owens_t hyp1f1 hyp2f1".split(), spread_out
    ),
    "expn": integer_order,
}
