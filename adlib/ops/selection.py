"""Choosing among values element by element: select_n, max, min, clamp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero, is_undefined_primal
from adlib.core.primitive import Sample, define_primitive
from adlib.ops.arithmetic import eq, gt, lt, mul
from adlib.ops.constructors import elementwise, elementwise_batch, unbroadcast
from adlib.ops.operands import broadcast_shape, check_dtypes, normal, operands
from adlib.ops.reshaping import full_like, zeros

# ------------------------------------------------------------------- select_n


def _select_shape(which: ShapedArray, *cases: ShapedArray) -> ShapedArray:
    check_dtypes("select_n", cases, "biufcKV")
    if which.dtype != np.dtype(bool) and not dtypes.is_integer(which.dtype):
        raise TypeError(
            f"select_n: the choice must be boolean or integer, got {which.dtype.name}.{here()}"
            "\n  Repair: compare first, as in select(x > 0, a, b)."
        )
    if which.dtype == np.dtype(bool) and len(cases) > 2:
        raise TypeError(
            f"select_n with a boolean choice takes two cases, got {len(cases)}.{here()}"
        )
    shape = broadcast_shape("select_n", (which, *cases))
    return ShapedArray(shape, cases[0].dtype, all([c.weak_type for c in cases]))


def _select_kernel(xp: Any) -> Callable[..., Any]:
    def select(which: Any, *cases: Any) -> Any:
        if which.dtype.kind == "b" and len(cases) == 2:
            return xp.where(which, cases[1], cases[0])
        result = xp.broadcast_to(cases[0], xp.broadcast(which, *cases).shape)
        for i, case in enumerate(cases[1:], 1):
            result = xp.where(which == i, case, result)
        return result

    return select


def _select_jvp(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    which, *cases = primals
    ans = select_n_p.bind(which, *cases)
    shares = tangents[1:]
    if all(type(t) is Zero for t in shares):
        return ans, Zero.like(ans)
    # one case keeps its full shape, so that the choice among tangents has the result's
    filled = [full_like(c, 0) if type(t) is Zero else t for c, t in zip(cases, shares, strict=True)]
    tangent = select_n_p.bind(which, *filled)
    if tangent.aval.shape != ans.aval.shape:
        filled = [zeros(t.aval) if type(t) is Zero else t for t in shares]
        tangent = select_n_p.bind(which, *filled)
    return ans, tangent


def _select_transpose(ct: Any, which: Any, *cases: Any) -> list[Any]:
    zero = full_like(ct, 0)
    result: list[Any] = [None]
    for i, case in enumerate(cases):
        if not is_undefined_primal(case):
            result.append(None)
            continue
        chosen = [ct if j == i else zero for j in range(len(cases))]
        result.append(unbroadcast(select_n_p.bind(which, *chosen), case.aval))
    return result


select_n_p = define_primitive(
    "select_n",
    shape=_select_shape,
    kernel=_select_kernel,
    jvp=_select_jvp,
    transpose=_select_transpose,
    samples=lambda: [
        Sample((normal(2, 3, dtype=bool), normal(2, 3), normal(2, 3))),
        Sample((normal(dtype=bool), normal(2, 3), normal(2, 3)), name="scalar-choice"),
        Sample((normal(3, dtype=bool), normal(3), normal()), name="scalar-case"),
        Sample((normal(3, dtype=bool),) + (normal(3, dtype=np.complex64),) * 2, name="complex"),
        Sample((np.array([0, 2, 1], np.int32),) + (normal(3),) * 3, name="three"),
        Sample((normal(3, dtype=bool),) + (normal(3, dtype=np.int32),) * 2, name="int"),
        Sample((normal(3, dtype=bool), normal(3)), name="one-case"),
    ],
)
select_n_p.batch = partial(elementwise_batch, select_n_p)


def _check_case_shapes(name: str, which: Any, cases: Sequence[Any]) -> None:
    shape = cases[0].aval.shape
    if any(c.aval.shape != shape for c in cases):
        given = ", ".join(str(c.aval.shape) for c in cases)
        raise TypeError(
            f"{name}: cases must have the same shapes, got {given}.{here()}\n"
            "  Repair: broadcast them first; adlib.numpy.where does so."
        )
    if which.aval.shape not in ((), shape):
        raise TypeError(
            f"{name}: the choice must be scalar or have the same shape as cases, got shape "
            f"{which.aval.shape} and cases of shape {shape}.{here()}"
        )


def select_n(which: Any, *cases: Any) -> Any:
    """For each element ``cases[which]``: ``which`` is an integer array, or boolean for two cases.

    The cases have one shape and dtype; ``which`` has that shape, or is a scalar. TypeError
    otherwise.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.select_n(jnp.array([True, False]), jnp.array([1, 2]), jnp.array([3, 4]))
    Array([3, 2], dtype=int32)
    """
    if not cases:
        raise ValueError(f"select_n() must have at least one case.{here()}")
    (which,) = operands("select_n", which)
    arrays = operands("select_n", *cases)
    _check_case_shapes("select_n", which, arrays)
    return select_n_p.bind(which, *arrays)


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """``on_true`` where ``pred`` holds, else ``on_false``; shapes as in ``select_n``.

    >>> from adlib import lax
    >>> lax.select(True, 1.0, 2.0)
    Array(1., dtype=float32, weak_type=True)
    """
    return select_n(pred, on_false, on_true)


# ------------------------------------------------------------------- max, min


def _extremum_share(t: Any, ans: Any, mine: Any, other: Any) -> Any:
    """The tangent where this operand is the answer, half of it at a tie."""
    at_tie = select_n_p.bind(eq(other, ans), full_like(ans, 1), full_like(ans, 0.5))
    return mul(t, select_n_p.bind(eq(mine, ans), full_like(ans, 0), at_tie))


_EXTREMUM = [
    lambda t, ans, x, y: _extremum_share(t, ans, x, y),
    lambda t, ans, x, y: _extremum_share(t, ans, y, x),
]
max_p = elementwise("max", "maximum", _EXTREMUM, kinds="biufc")
min_p = elementwise("min", "minimum", _EXTREMUM, kinds="biufc")


def max(x: Any, y: Any) -> Any:
    """The larger of ``x`` and ``y``, element by element; NaN where one of them is.

    At a tie each has half of the derivative. Complex numbers compare by real parts first.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> lax.max(jnp.array([1.0, 5.0]), jnp.array([2.0, 3.0]))
    Array([2., 5.], dtype=float32)
    """
    return max_p.bind(*operands("max", x, y))


def min(x: Any, y: Any) -> Any:
    """The smaller of ``x`` and ``y``, element by element; see ``max``.

    >>> from adlib import lax
    >>> lax.min(1.0, 2.0)
    Array(1., dtype=float32, weak_type=True)
    """
    return min_p.bind(*operands("min", x, y))


# ---------------------------------------------------------------------- clamp


def _clamp_low(t: Any, ans: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(lt(low, high), _where(gt(low, x), t))


def _clamp_operand(t: Any, ans: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(lt(x, high), _where(gt(x, low), t))


def _clamp_high(t: Any, ans: Any, low: Any, x: Any, high: Any) -> Any:
    return _where(gt(max(x, low), high), t)


def _where(condition: Any, t: Any) -> Any:
    return select_n_p.bind(condition, full_like(t, 0), t)


clamp_p = elementwise(
    "clamp",
    lambda xp, low, x, high: xp.minimum(xp.maximum(low, x), high),
    [_clamp_low, _clamp_operand, _clamp_high],
    kinds="biuf",
    samples=lambda: [
        Sample((np.float32(-0.5), normal(2, 3), np.float32(0.5)), name="scalar-bounds"),
        Sample((normal(2, 3), normal(2, 3), normal(2, 3)), name="arrays"),
        Sample((normal(3, dtype=np.int32),) * 3, name="int"),
    ],
)


def clamp(min: Any, x: Any, max: Any) -> Any:
    """``x`` limited to the range from ``min`` to ``max``, which have its shape or are scalars.

    On a bound the derivative is zero.

    >>> from adlib import lax
    >>> lax.clamp(0.0, 1.5, 1.0)
    Array(1., dtype=float32, weak_type=True)
    """
    low, x, high = operands("clamp", min, x, max)
    for name, bound in (("min", low), ("max", high)):
        if bound.aval.shape not in ((), x.aval.shape):
            raise TypeError(
                f"clamp: {name} must be a scalar or have the shape of x, {x.aval.shape}; got "
                f"{bound.aval.shape}.{here()}"
            )
    return clamp_p.bind(low, x, high)
