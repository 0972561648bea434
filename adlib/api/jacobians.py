"""Jacobians and Hessians, assembled from pushforwards or pullbacks of a basis."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.api import arguments
from adlib.api.arguments import Partial, check_callable, describe_type
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, from_nothing
from adlib.core.avals import ShapedArray, Zero
from adlib.core.evaluate import EvalTrace
from adlib.core.trace import state
from adlib.interpreters.batch import AxisData, at_front, batch_flat
from adlib.interpreters.jvp import jvp_flat
from adlib.interpreters.linearize import linearize_flat
from adlib.interpreters.transpose import pull_back
from adlib.ops.reshaping import instantiate, moveaxis, reshape
from adlib.ops.structural import slice as slice_


def jacfwd(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Jacobian by forward mode, a column for each number of the argument.

    Best where the function has at least as many outputs as inputs. The result has, for each
    output leaf, the structure of the argument, with arrays of shape ``out.shape + in.shape``.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.jacfwd(lambda x: x**2)(jnp.array([1.0, 2.0]))
    Array([[2., 0.],
           [0., 4.]], dtype=float32)
    """
    check_callable(fun, "jacfwd")
    positions = arguments.normalize_argnums(argnums, "jacfwd")

    @functools.wraps(fun, updated=())
    def jacobian_fun(*args: Any, **kwargs: Any) -> Any:
        chosen = arguments.select(args, positions, "jacfwd", fun)
        partial = Partial(fun, args, kwargs, chosen, "jacfwd", has_aux)
        primals = partial.leaves()
        for p in primals:
            _check_input(p, holomorphic, "jacfwd")
        size = sum(p.aval.size for p in primals)
        push, row_bytes = _pushforward(partial, primals, holomorphic)

        def columns(start: int, stop: int) -> list[Any]:
            axis = AxisData(None, stop - start)
            basis = _basis([p.aval for p in primals], start, stop)
            pairs = batch_flat(push, axis, basis, [0] * len(basis))
            return [at_front(axis, v, d) for v, d in pairs]

        blocks = _assemble(columns, size, row_bytes)
        rows = [moveaxis(b, 0, b.aval.ndim - 1) for b in blocks]
        jac = [partial.unflatten_args(_split_columns(row, primals)) for row in rows]
        answer = _structure(partial, jac, argnums)
        return (answer, partial.aux) if has_aux else answer

    return jacobian_fun


def _pushforward(
    partial: Partial, primals: Sequence[Array], holomorphic: bool
) -> tuple[Callable[..., list[Any]], int]:
    """The map of input to output tangents, and the bytes of one output tangent.

    Eagerly the function is linearized once, so that many blocks of tangents can be pushed
    without running it again; while staging, the pushforward itself is what is recorded.
    """
    if type(state.trace) is EvalTrace:
        outs, linear = linearize_flat(partial, primals)
        for o in outs:
            _check_output(o, holomorphic, "jacfwd")
        return lambda *tangents: linear.apply(tangents), sum(o.aval.nbytes for o in outs)

    def push(*tangents: Any) -> list[Any]:
        outs, out_tangents = jvp_flat(partial, primals, tangents)
        for o in outs:
            _check_output(o, holomorphic, "jacfwd")
        return [instantiate(t) for t in out_tangents]

    return push, 0


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable[..., Any]:
    """Jacobian by reverse mode, a row for each number of the result.

    Best where the function has fewer outputs than inputs. Shapes are those of ``jacfwd``.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.jacrev(lambda x: jnp.stack([x[0] * x[1], x[0]]))(jnp.array([3.0, 4.0]))
    Array([[4., 3.],
           [1., 0.]], dtype=float32)
    """
    check_callable(fun, "jacrev")
    positions = arguments.normalize_argnums(argnums, "jacrev")

    @functools.wraps(fun, updated=())
    def jacobian_fun(*args: Any, **kwargs: Any) -> Any:
        chosen = arguments.select(args, positions, "jacrev", fun)
        partial = Partial(fun, args, kwargs, chosen, "jacrev", has_aux)
        primals = partial.leaves()
        for p in primals:
            _check_input(p, holomorphic, "jacrev", allow_int)
        outs, linear = linearize_flat(partial, primals)
        for o in outs:
            _check_output(o, holomorphic, "jacrev")
        out_avals = [o.aval for o in outs]
        size = sum(a.size for a in out_avals)

        def rows(start: int, stop: int) -> list[Any]:
            axis = AxisData(None, stop - start)

            def pull(*cts: Any) -> list[Any]:
                grads = pull_back(linear, cts)
                return [
                    instantiate(Zero(p.aval.to_tangent_aval())) if g is None else instantiate(g)
                    for g, p in zip(grads, primals, strict=True)
                ]

            basis = _basis(out_avals, start, stop)
            pairs = batch_flat(pull, axis, basis, [0] * len(basis))
            return [at_front(axis, v, d) for v, d in pairs]

        blocks = _assemble(rows, size, sum(p.aval.nbytes for p in primals))
        by_output: list[list[Any]] = [[] for _ in out_avals]
        for block, p in zip(blocks, primals, strict=True):
            for pieces, piece in zip(by_output, _split_rows(block, out_avals), strict=True):
                pieces.append(reshape(piece[0], (*piece[1], *p.aval.shape)))
        jac = [partial.unflatten_args(pieces) for pieces in by_output]
        answer = _structure(partial, jac, argnums)
        return (answer, partial.aux) if has_aux else answer

    return jacobian_fun


jacobian = jacrev


def hessian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Matrix of second derivatives, forward mode over reverse mode.

    For a scalar function of an argument of shape ``s`` the result has shape ``s + s``.

    >>> import adlib, adlib.numpy as jnp
    >>> adlib.hessian(lambda x: jnp.dot(x, x))(jnp.array([1.0, 2.0]))
    Array([[2., 0.],
           [0., 2.]], dtype=float32)
    """
    inner = jacrev(fun, argnums, has_aux=has_aux, holomorphic=holomorphic)
    return jacfwd(inner, argnums, has_aux=has_aux, holomorphic=holomorphic)


# ------------------------------------------------------------------ assembling

_BLOCK_BYTES = 1 << 22


def _assemble(block: Callable[[int, int], list[Any]], size: int, row_bytes: int) -> list[Any]:
    """``block(0, size)``, in pieces written into one array each where that is large.

    So nothing of the size of the Jacobian is needed beside the Jacobian itself.
    """
    if size * row_bytes <= 2 * _BLOCK_BYTES or type(state.trace) is not EvalTrace:
        return block(0, size)
    step = max(1, _BLOCK_BYTES // max(1, row_bytes))
    outs: list[np.ndarray[Any, Any]] = []
    avals: list[ShapedArray] = []
    for start in range(0, size, step):
        pieces = block(start, min(start + step, size))
        if not all(type(p) is ArrayImpl and isinstance(p._value, np.ndarray) for p in pieces):
            return block(0, size)
        if not outs:
            avals = [p.aval.update(shape=(size, *p.aval.shape[1:])) for p in pieces]
            outs = [np.empty(a.shape, p._value.dtype) for a, p in zip(avals, pieces, strict=True)]
        for out, piece in zip(outs, pieces, strict=True):
            out[start : start + piece.aval.shape[0]] = piece._value
        del pieces
    return [ArrayImpl(o, a) for o, a in zip(outs, avals, strict=True)]


def _basis(avals: Sequence[ShapedArray], start: int, stop: int) -> list[ArrayImpl]:
    """Rows ``start`` to ``stop`` of the standard basis of all arguments jointly."""
    result = []
    offset = 0
    for aval in avals:
        flat = np.zeros((stop - start, aval.size), aval.dtype)
        low, high = max(start, offset), min(stop, offset + aval.size)
        if low < high:
            index = np.arange(low, high)
            flat[index - start, index - offset] = 1
        shape = (stop - start, *aval.shape)
        result.append(
            from_nothing(flat.reshape(shape), ShapedArray(shape, aval.dtype, aval.weak_type))
        )
        offset += aval.size
    return result


def _split_columns(row: Any, primals: Sequence[Array]) -> list[Any]:
    """A row of the Jacobian (its last axis runs over all arguments) as one array each."""
    lead = row.aval.shape[:-1]
    if len(primals) == 1:
        return [reshape(row, (*lead, *primals[0].aval.shape))]
    pieces, start = [], 0
    for p in primals:
        stop = start + p.aval.size
        pieces.append(reshape(_slice_last(row, start, stop), (*lead, *p.aval.shape)))
        start = stop
    return pieces


def _split_rows(block: Any, avals: Sequence[ShapedArray]) -> list[tuple[Any, tuple[int, ...]]]:
    if len(avals) == 1:
        return [(block, avals[0].shape)]
    pieces, start = [], 0
    for aval in avals:
        stop = start + aval.size
        starts = (start, *[0] * (block.aval.ndim - 1))
        pieces.append((slice_(block, starts, (stop, *block.aval.shape[1:])), aval.shape))
        start = stop
    return pieces


def _slice_last(x: Any, start: int, stop: int) -> Any:
    lead = x.aval.shape[:-1]
    return slice_(x, (*[0] * len(lead), start), (*lead, stop))


def _structure(partial: Partial, jac: list[Any], argnums: Any) -> Any:
    per_output = [j[0] if isinstance(argnums, int) else tuple(j) for j in jac]
    return partial.unflatten_out(per_output)


def _check_input(value: Array, holomorphic: bool, what: str, allow_int: bool = False) -> None:
    kind = dtypes.kind(value.aval.dtype)
    if holomorphic:
        if kind != "c":
            raise TypeError(
                f"{what} with holomorphic=True requires inputs with complex dtype, but got "
                f"{value.aval.dtype.name}.{here()}"
            )
        return
    if kind == "c" and what == "jacfwd":
        raise TypeError(
            f"{what} requires real-valued inputs (input dtype that is a sub-dtype of "
            f"np.floating), but got {value.aval.dtype.name}. For holomorphic differentiation, "
            f"pass holomorphic=True. For differentiation of non-holomorphic functions involving "
            f"complex inputs, use adlib.jvp directly.{here()}"
        )
    if kind in "biu" and not allow_int:
        raise TypeError(
            f"{what} requires real-valued inputs (input dtype that is a sub-dtype of "
            f"np.floating), but got {value.aval.dtype.name}.{here()}\n  Repair: pass floats "
            "(3.0 instead of 3, x.astype(float))."
        )


def _check_output(value: Any, holomorphic: bool, what: str) -> None:
    kind = dtypes.kind(value.aval.dtype)
    if holomorphic and kind != "c":
        raise TypeError(
            f"{what} with holomorphic=True requires outputs with complex dtype, but got "
            f"{describe_type(value)}.{here()}"
        )
    if not holomorphic and what == "jacrev" and kind != "f":
        advice = (
            "For holomorphic differentiation, pass holomorphic=True; otherwise use adlib.vjp "
            "directly."
            if kind == "c"
            else "For differentiation of functions with integer outputs, use adlib.vjp directly."
        )
        raise TypeError(
            f"{what} requires real-valued outputs (output dtype that is a sub-dtype of "
            f"np.floating), but got {value.aval.dtype.name}. {advice}{here()}"
        )
