"""Scatters that set, subtract, multiply, and take the smaller or larger value."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.core import dtypes
from adlib.core.array import scalar
from adlib.core.avals import Zero, is_undefined_primal
from adlib.core.primitive import Primitive
from adlib.ops.arithmetic import add_p, div, eq, mul, mul_p, ne, neg, sub_p
from adlib.ops.constructors import add_tangents
from adlib.ops.conversion import convert
from adlib.ops.filling import iota
from adlib.ops.index_plan import ScatterDimensionNumbers
from adlib.ops.indexing import gathered_updates, scatter_add_p
from adlib.ops.reshaping import broadcast_to, full_like, reshape, zeros
from adlib.ops.scatter_rules import (
    bind_scatter,
    define_scatter,
    element_by_element,
    has_repeats,
    linear_scatter_jvp,
    update_jaxpr,
)
from adlib.ops.selection import max_p, min_p, select_n


def _at(function: str, xp: Any, out: Any, rows: Any, new: Any, unique: bool) -> None:
    """Combine rows with their updates by a function of the array module, repeats included."""
    combine = getattr(xp, function)
    if unique or (out.ndim == 2 and not has_repeats(xp, rows, len(out))):
        out[rows] = combine(out[rows], new)
    elif xp is np or function != "multiply":
        combine.at(*element_by_element(xp, out, rows, new))
    else:
        # CuPy has no multiply.at: each round takes every row once
        order = xp.argsort(rows, kind="stable")
        ranked = rows[order]
        place = xp.arange(rows.size) - xp.searchsorted(ranked, ranked)
        for turn in range(int(place.max()) + 1):
            chosen = order[place == turn]
            out[rows[chosen]] = combine(out[rows[chosen]], new[chosen])


def _on_window(function: str, xp: Any, window: Any, new: Any) -> None:
    window[...] = getattr(xp, function)(window, new)


# -------------------------------------------------------------------- scatter


def _set_rows(xp: Any, out: Any, rows: Any, new: Any, unique: bool) -> None:
    out[rows] = new


def _set_window(xp: Any, window: Any, new: Any) -> None:
    window[...] = new


def _scatter_transpose(
    ct: Any, x: Any, indices: Any, updates: Any, **params: Any
) -> tuple[Any, None, Any]:
    aval = updates.aval.strip_weak_type()
    given = None
    if is_undefined_primal(updates):
        given = gathered_updates(ct, indices, aval.shape, **params)
        if not params["unique_indices"]:
            given = select_n(
                _overwritten(x.aval.shape, indices, aval.shape, params), given, zeros(given.aval)
            )
    kept = None
    if is_undefined_primal(x):
        kept = scatter_p.bind(ct, indices, zeros(aval.update(dtype=ct.aval.dtype)), **params)
    return kept, None, given


def _overwritten(
    shape: tuple[int, ...], indices: Any, updates_shape: tuple[int, ...], params: dict[str, Any]
) -> Any:
    """Which updates another one wrote over: found by writing serial numbers the same way."""
    int32 = np.dtype(np.int32)
    serial = reshape(iota(int32, int(np.prod(updates_shape))), updates_shape)
    blank = broadcast_to(scalar(-1, int32), shape)
    written = scatter_p.bind(blank, indices, serial, **params)
    seen = gathered_updates(written, indices, updates_shape, dropped=-1, **params)
    return ne(seen, serial)


scatter_p: Primitive = define_scatter(
    "scatter",
    None,
    _set_rows,
    _set_window,
    (np.complex64, np.int32, bool),
    jvp=functools.partial(linear_scatter_jvp, lambda: scatter_p),
    transpose=_scatter_transpose,
)


def scatter(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """``operand`` with its windows at ``scatter_indices`` replaced by ``updates``.

    ``x.at[i].set(v)`` is the friendly form of this. Where an index occurs twice, the last
    update stays. Arguments are those of ``scatter_add``.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
    >>> lax.scatter(jnp.zeros(3), jnp.array([[1], [2]]), jnp.array([5.0, 6.0]), numbers)
    Array([0., 5., 6.], dtype=float32)
    """
    return bind_scatter(
        "scatter",
        scatter_p,
        None,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        unique_indices,
        indices_are_sorted,
        mode,
    )


# ---------------------------------------------------------------- scatter-sub


def _scatter_sub_transpose(
    ct: Any, x: Any, indices: Any, updates: Any, **params: Any
) -> tuple[Any, None, Any]:
    given = None
    if is_undefined_primal(updates):
        given = neg(gathered_updates(ct, indices, updates.aval.shape, **params))
    return ct if is_undefined_primal(x) else None, None, given


scatter_sub_p: Primitive = define_scatter(
    "scatter-sub",
    sub_p,
    functools.partial(_at, "subtract"),
    functools.partial(_on_window, "subtract"),
    (np.complex64, np.int32),
    jvp=functools.partial(linear_scatter_jvp, lambda: scatter_sub_p),
    transpose=_scatter_sub_transpose,
)


def scatter_sub(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """``operand`` with ``updates`` subtracted from its windows; see ``scatter_add``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> each = lax.ScatterDimensionNumbers((), (0,), (0,))
    >>> lax.scatter_sub(jnp.ones(3), jnp.array([[0], [0]]), jnp.array([5.0, 2.0]), each)
    Array([-6.,  1.,  1.], dtype=float32)
    """
    return bind_scatter(
        "scatter_sub",
        scatter_sub_p,
        sub_p,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        unique_indices,
        indices_are_sorted,
        mode,
    )


# ---------------------------------------------------------------- scatter-mul


def _added(x: Any, indices: Any, updates: Any, params: dict[str, Any]) -> Any:
    """``x`` with updates added at the places of another scatter."""
    params = {**params, "update_jaxpr": update_jaxpr(add_p, updates.aval.dtype)}
    return scatter_add_p.bind(x, indices, updates, **params)


def _alone(x: Any, indices: Any, updates: Any, params: dict[str, Any]) -> Any:
    """Updates added into zeros of the shape of ``x``."""
    return _added(zeros(x.aval.strip_weak_type()), indices, updates, params)


def _other_factors(x: Any, indices: Any, updates: Any, params: dict[str, Any]) -> Any:
    """For each update the product of all that meets it: the operand and the other updates.

    With repeats that is the product without zeros, divided by the update, or zero where
    another update is zero. (At such zeros the second derivative comes out as zero.)
    """
    shape = updates.aval.shape
    if params["unique_indices"]:
        return gathered_updates(x, indices, shape, **params)
    zero = eq(updates, full_like(updates, 0))
    safe = select_n(zero, updates, broadcast_to(full_like(updates, 1), shape))
    product = gathered_updates(
        scatter_mul_p.bind(x, indices, safe, **params), indices, shape, **params
    )
    count = _alone(x, indices, convert(zero, updates.aval.dtype), params)
    count = gathered_updates(count, indices, shape, **params)
    none, one = eq(count, full_like(count, 0)), eq(count, full_like(count, 1))
    nothing = broadcast_to(full_like(product, 0), shape)
    return select_n(
        zero, select_n(none, nothing, div(product, safe)), select_n(one, nothing, product)
    )


def _scatter_mul_jvp(
    primals: Sequence[Any], tangents: Sequence[Any], **params: Any
) -> tuple[Any, Any]:
    x, indices, updates = primals
    ans = scatter_mul_p.bind(x, indices, updates, **params)
    tx, _, tu = tangents
    if not dtypes.is_inexact(ans.aval.dtype):
        return ans, Zero.like(ans)
    total: Any = Zero.like(ans)
    if type(tx) is not Zero:
        total = scatter_mul_p.bind(tx, indices, updates, **params)
    if type(tu) is not Zero:
        share = mul(tu, _other_factors(x, indices, updates, params))
        total = add_tangents(total, _alone(x, indices, share, params))
    return ans, total


def _scatter_mul_transpose(
    ct: Any, x: Any, indices: Any, updates: Any, **params: Any
) -> tuple[Any, None, None]:
    if is_undefined_primal(updates):
        raise NotImplementedError(
            "Transposition of 'scatter-mul' in its updates: only its operand may be linear."
        )
    return scatter_mul_p.bind(ct, indices, updates, **params), None, None


scatter_mul_p = define_scatter(
    "scatter-mul",
    mul_p,
    functools.partial(_at, "multiply"),
    functools.partial(_on_window, "multiply"),
    (np.complex64, np.int32),
    jvp=_scatter_mul_jvp,
    transpose=_scatter_mul_transpose,
)


def scatter_mul(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """``operand`` with its windows multiplied by ``updates``; see ``scatter_add``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> each = lax.ScatterDimensionNumbers((), (0,), (0,))
    >>> lax.scatter_mul(jnp.ones(3), jnp.array([[0], [0]]), jnp.array([5.0, 2.0]), each)
    Array([10.,  1.,  1.], dtype=float32)
    """
    return bind_scatter(
        "scatter_mul",
        scatter_mul_p,
        mul_p,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        unique_indices,
        indices_are_sorted,
        mode,
    )


# ------------------------------------------------------- scatter-min and -max


def _extremal_jvp(
    primitive: Callable[[], Primitive],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    **params: Any,
) -> tuple[Any, Any]:
    """Values that reach the extremum share its tangent equally."""
    x, indices, updates = primals
    ans = primitive().bind(x, indices, updates, **params)
    tx, _, tu = tangents
    if (type(tx) is Zero and type(tu) is Zero) or not dtypes.is_inexact(ans.aval.dtype):
        return ans, Zero.like(ans)
    shape, dtype = updates.aval.shape, ans.aval.dtype
    kept = convert(eq(x, ans), dtype)
    reached = convert(eq(updates, gathered_updates(ans, indices, shape, **params)), dtype)
    count = _added(kept, indices, reached, params)
    total: Any = Zero.like(ans)
    if type(tx) is not Zero:
        total = mul(tx, div(kept, count))
    if type(tu) is not Zero:
        each = div(reached, gathered_updates(count, indices, shape, dropped=1, **params))
        total = add_tangents(total, _alone(x, indices, mul(tu, each), params))
    return ans, total


def _extremal(name: str, function: str, update: Primitive) -> Primitive:
    primitive: Primitive = define_scatter(
        name,
        update,
        functools.partial(_at, function),
        functools.partial(_on_window, function),
        (np.int32,),
        jvp=functools.partial(_extremal_jvp, lambda: primitive),
    )
    return primitive


scatter_min_p = _extremal("scatter-min", "minimum", min_p)
scatter_max_p = _extremal("scatter-max", "maximum", max_p)


def scatter_min(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """The smaller of ``operand`` and ``updates`` at its windows; see ``scatter_add``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> each = lax.ScatterDimensionNumbers((), (0,), (0,))
    >>> lax.scatter_min(jnp.ones(3), jnp.array([[0], [2]]), jnp.array([5.0, -5.0]), each)
    Array([ 1.,  1., -5.], dtype=float32)
    """
    return bind_scatter(
        "scatter_min",
        scatter_min_p,
        min_p,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        unique_indices,
        indices_are_sorted,
        mode,
    )


def scatter_max(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """The larger of ``operand`` and ``updates`` at its windows; see ``scatter_add``.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> each = lax.ScatterDimensionNumbers((), (0,), (0,))
    >>> lax.scatter_max(jnp.ones(3), jnp.array([[0], [2]]), jnp.array([5.0, -5.0]), each)
    Array([5., 1., 1.], dtype=float32)
    """
    return bind_scatter(
        "scatter_max",
        scatter_max_p,
        max_p,
        operand,
        scatter_indices,
        updates,
        dimension_numbers,
        unique_indices,
        indices_are_sorted,
        mode,
    )
