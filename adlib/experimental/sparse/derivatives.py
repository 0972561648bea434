"""Sparse Jacobians and Hessians by compressed evaluation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from adlib.api.arguments import Partial, check_callable, normalize_argnums, select
from adlib.api.derivatives import grad
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, as_value, from_nothing, to_numpy
from adlib.core.avals import Zero
from adlib.core.evaluate import EvalTrace
from adlib.core.trace import state
from adlib.experimental.sparse.colouring import colour_columns, colour_symmetric, count_colours
from adlib.experimental.sparse.detection import detect
from adlib.interpreters.batch import AxisData, at_front, batch_flat
from adlib.interpreters.linearize import LinearMap, linearize_flat
from adlib.interpreters.transpose import pull_back
from adlib.ops.reshaping import instantiate

_MODES = ("auto", "fwd", "rev")
_FORMATS = ("coo", "csr", "csc", "dense")
_LEAST_PART, _MOST_PARTS = 16, 50

Loop = Callable[[Collection[tuple[int, int]]], Iterable[tuple[int, int]]]


def sparse_jacobian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    mode: str = "auto",
    sparsity: Any = None,
    format: str = "coo",
) -> Callable[..., Any]:
    """Jacobian of ``fun`` with as few pushforwards or pullbacks as its sparsity allows.

    The pattern is detected from the program, its columns (or rows) are coloured so that those
    of a colour never meet, and one pushforward (or pullback) is made for each colour.

    Args:
      fun: function of real arrays, or pytrees of them, that returns such.
      argnums: the arguments to differentiate with respect to.
      mode: ``"fwd"`` colours columns and pushes forward, ``"rev"`` colours rows and pulls
        back, ``"auto"`` takes the one with fewer colours.
      sparsity: the pattern, if it is known: a sparse or dense matrix of shape ``(m, n)``
        whose nonzeros hold all that can be nonzero. It is not checked.
      format: ``"coo"``, ``"csr"`` or ``"csc"`` for a ``scipy.sparse`` array, ``"dense"``
        for an Array.

    Returns:
      A function of the arguments of ``fun`` that returns a matrix of shape ``(m, n)``, of
      the results' dtype (float32 at least): a row for each number in the result, a column for
      each in the arguments, counted through their leaves in order.

    Raises:
      TypeError: inputs or results are not real floats, or a transformation is under way
        around this one, so that there are no values.
      ValueError: an unknown ``mode`` or ``format``, or ``sparsity`` of another shape.

    Curtis, Powell & Reid, "On the estimation of sparse Jacobian matrices", 1974; Gebremedhin,
    Manne & Pothen, "What color is your Jacobian?", 2005.

    >>> import adlib.numpy as jnp
    >>> jac = sparse_jacobian(lambda x: x[1:] * x[:-1], format="csr")(jnp.arange(1.0, 5.0))
    >>> jac.nnz, jac.toarray().tolist()
    (6, [[2.0, 1.0, 0.0, 0.0], [0.0, 3.0, 2.0, 0.0], [0.0, 0.0, 4.0, 3.0]])
    """
    check_callable(fun, "sparse_jacobian")
    _check_choice("sparse_jacobian", "mode", mode, _MODES)
    _check_choice("sparse_jacobian", "format", format, _FORMATS)
    positions = normalize_argnums(argnums, "sparse_jacobian")

    def jacobian_fun(*args: Any, **kwargs: Any) -> Any:
        return _formatted(assembled(fun, args, kwargs, positions, mode, sparsity).matrix, format)

    return jacobian_fun


def sparse_hessian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    sparsity: Any = None,
    format: str = "coo",
) -> Callable[..., Any]:
    """Hessian of a scalar function with as few products H·v as its sparsity allows.

    The pattern is that of the gradient's Jacobian. A star colouring uses the symmetry: each
    entry is read from its own row or from its mirror image's.

    Args:
      fun: function of real arrays, or pytrees of them, that returns a real scalar.
      argnums: the arguments to differentiate with respect to.
      sparsity: the pattern, if it is known, of shape ``(n, n)``.
      format: as for ``sparse_jacobian``.

    Returns:
      A function of the arguments of ``fun`` that returns a symmetric matrix of shape
      ``(n, n)``.

    Raises:
      TypeError: ``fun`` does not return a scalar; further as for ``sparse_jacobian``.
      ValueError: an unknown ``format``, or ``sparsity`` of another shape.

    >>> import adlib.numpy as jnp
    >>> hess = sparse_hessian(lambda x: (x[0] * x[1:] ** 2).sum())(jnp.arange(1.0, 4.0))
    >>> hess.toarray().tolist()
    [[0.0, 4.0, 6.0], [4.0, 2.0, 0.0], [6.0, 0.0, 2.0]]
    """
    check_callable(fun, "sparse_hessian")
    _check_choice("sparse_hessian", "format", format, _FORMATS)
    positions = normalize_argnums(argnums, "sparse_hessian")

    def hessian_fun(*args: Any, **kwargs: Any) -> Any:
        partial, primals = _real_inputs(
            grad(fun, positions), args, kwargs, positions, "sparse_hessian"
        )
        pattern, _ = _pattern(sparsity, partial, primals)
        pattern = _fitting("sparse_hessian", pattern, _total(primals), _total(primals))
        pattern = pattern + pattern.T
        _, linear = linearize_flat(partial, primals)
        colours = colour_symmetric(pattern)
        compressed = pushed(linear, primals, colours)
        found = pattern.tocoo()
        i, j = found.row, found.col
        # an entry stands alone where its row meets its column's colour once
        meets = sp.coo_array(
            (np.ones(len(i), np.int64), (i, colours[j])),
            shape=(pattern.shape[0], count_colours(colours)),
        ).tocsr()
        alone = np.asarray(meets[i, colours[j]]).ravel() == 1 if len(i) else np.zeros(0, bool)
        data = np.where(alone, compressed[colours[j], i], compressed[colours[i], j])
        data = data.astype(np.result_type(np.float32, data.dtype), copy=False)
        return _formatted(sp.coo_array((data, (i, j)), shape=pattern.shape), format)

    return hessian_fun


class Assembled(NamedTuple):
    """A Jacobian and how it was made.

    Attributes:
      matrix: a ``scipy.sparse.coo_array`` of shape ``(m, n)`` whose entries are the pattern's,
        zeros included.
      primals, outs: leaves of the arguments and of the result, as Arrays.
      columns, rows: colours; None for what the mode leaves out.
      restricted: the only mode that the function has, ``"fwd"`` or ``"rev"``, or ``""``.
      mode: the one that made the entries.
    """

    matrix: Any
    primals: list[Array]
    outs: Sequence[Array]
    columns: Any
    rows: Any
    restricted: str
    mode: str


def assembled(
    fun: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    positions: tuple[int, ...],
    mode: str = "auto",
    sparsity: Any = None,
    loop: Loop | None = None,
) -> Assembled:
    """What ``sparse_jacobian`` computes, with all that it learned on the way.

    Args:
      positions: of the arguments to differentiate with respect to.
      loop: given the parts of the work, gives them back one by one; see ``pushed``.
    """
    partial, primals = _real_inputs(fun, args, kwargs, positions, "sparse_jacobian")
    pattern, restricted = _pattern(sparsity, partial, primals)
    outs, linear = linearize_flat(partial, primals)
    _check_results("sparse_jacobian", outs)
    pattern = _fitting("sparse_jacobian", pattern, _total(outs), _total(primals))
    columns = colour_columns(pattern) if mode != "rev" else None
    rows = colour_columns(pattern.T) if mode != "fwd" else None
    forward = rows is None or (
        columns is not None
        and restricted != "rev"
        and (restricted == "fwd" or count_colours(columns) <= count_colours(rows))
    )
    # the narrowest that scipy.sparse knows is float32
    dtype = np.result_type(np.float32, *[o.aval.dtype for o in outs])
    found = pattern.tocoo()
    if forward:
        assert columns is not None
        compressed = pushed(linear, primals, columns, loop)
        data = compressed[columns[found.col], found.row]
    else:
        assert rows is not None
        compressed = pulled(linear, primals, outs, rows, loop)
        data = compressed[rows[found.row], found.col]
    matrix = sp.coo_array((data.astype(dtype), (found.row, found.col)), shape=pattern.shape)
    used = "fwd" if forward else "rev"
    return Assembled(matrix, primals, outs, columns, rows, restricted, used)


# ------------------------------------------------------------------ compressed products


def pushed(
    linear: LinearMap, primals: Sequence[Array], colours: Any, loop: Loop | None = None
) -> Any:
    """J·S, transposed: for each colour the sum of its columns, shape ``(colours, m)``.

    With a ``loop`` it is made in parts of some colours each, so that it can say how far it is
    and be interrupted; else all at once.
    """
    seeds = _seeds([p.aval for p in primals], colours)
    return _in_parts(lambda *tangents: linear.apply(tangents), seeds, colours, loop)


def pulled(
    linear: LinearMap,
    primals: Sequence[Array],
    outs: Sequence[Array],
    colours: Any,
    loop: Loop | None = None,
) -> Any:
    """W·J: for each colour the sum of its rows, shape ``(colours, n)``; in parts as ``pushed``."""

    def pull(*cotangents: Any) -> list[Any]:
        grads = pull_back(linear, cotangents)
        return [
            instantiate(Zero(p.aval.to_tangent_aval()) if g is None else g)
            for g, p in zip(grads, primals, strict=True)
        ]

    seeds = _seeds([o.aval for o in outs], colours)
    return _in_parts(pull, seeds, colours, loop)


def _in_parts(
    function: Callable[..., Any],
    seeds: Callable[[int, int], list[Any]],
    colours: Any,
    loop: Loop | None,
) -> Any:
    count = count_colours(colours)
    size = count if loop is None else max(_LEAST_PART, -(-count // _MOST_PARTS))
    if count <= size:
        return _mapped(function, seeds(0, count), count)
    assert loop is not None
    starts = range(0, count, size)
    ends = [min(start + size, count) for start in starts]
    parts = zip(starts, ends, strict=True)
    blocks = [_mapped(function, seeds(a, b), b - a) for a, b in loop(list(parts))]
    return np.concatenate(blocks)


def _seeds(avals: Sequence[Any], colours: Any) -> Callable[[int, int], list[Any]]:
    """For each leaf the indicators of the colours a to b, shape ``(b − a, *leaf shape)``."""

    def seeds(a: int, b: int) -> list[Any]:
        start, found = 0, []
        for aval in avals:
            mine = colours[start : start + aval.size]
            seed = np.arange(a, b)[:, None] == mine[None, :]
            shape = (b - a, *aval.shape)
            found.append(
                from_nothing(seed.astype(aval.dtype).reshape(shape), aval.update(shape=shape))
            )
            start += aval.size
        return found

    return seeds


def _mapped(function: Callable[..., Any], seeds: list[Any], count: int) -> Any:
    """The function of each row of the seeds; its results side by side as one matrix."""
    if not count:
        return np.zeros((0, 0))
    axis = AxisData(None, count)
    pairs = batch_flat(function, axis, seeds, [0] * len(seeds))
    blocks = [to_numpy(at_front(axis, v, d)).reshape(count, -1) for v, d in pairs]
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((count, 0))


# ------------------------------------------------------------------------------ checks


def _real_inputs(
    fun: Callable[..., Any], args: Any, kwargs: Any, positions: tuple[int, ...], what: str
) -> tuple[Partial, list[Array]]:
    chosen = select(args, positions, what, fun)
    partial = Partial(fun, args, kwargs, chosen, what)
    primals = partial.leaves()
    if type(state.trace) is not EvalTrace:
        raise TypeError(
            f"{what} needs the values of its arguments, but was called while another "
            f"transformation was tracing.{here()}\n  The result is a matrix of scipy.sparse, "
            "which cannot be traced. Repair: call it outside of jit, vmap and grad, or use "
            "jacfwd or jacrev inside of them."
        )
    for p in primals:
        if dtypes.kind(p.aval.dtype) != "f":
            raise TypeError(
                f"{what} requires real-valued inputs (input dtype that is a sub-dtype of "
                f"np.floating), but got {p.aval.dtype.name}.{here()}\n  Repair: pass floats "
                "(3.0 instead of 3, x.astype(float))."
            )
    return partial, primals


def _check_results(what: str, outs: Sequence[Array]) -> None:
    for out in outs:
        if dtypes.kind(out.aval.dtype) != "f":
            raise TypeError(
                f"{what} requires real-valued outputs (output dtype that is a sub-dtype of "
                f"np.floating), but got {out.aval.dtype.name}.{here()}\n  Repair: return the real "
                "and imaginary parts, and only numbers that depend smoothly on the arguments."
            )


def _check_choice(what: str, name: str, given: Any, choices: Sequence[str]) -> None:
    if given not in choices:
        raise ValueError(
            f"{what}: {name} must be one of {', '.join(map(repr, choices))}; got {given!r}.{here()}"
        )


def _pattern(sparsity: Any, partial: Partial, primals: Sequence[Array]) -> tuple[Any, str]:
    if sparsity is None:
        return detect(partial, [p.aval for p in primals])
    given = sparsity if sp.issparse(sparsity) else np.asarray(sparsity)
    return sp.csr_array(given != 0), ""


def _fitting(what: str, pattern: Any, rows: int, columns: int) -> Any:
    if pattern.shape != (rows, columns):
        raise ValueError(
            f"{what}: sparsity has shape {pattern.shape}, but the matrix has shape "
            f"{(rows, columns)}: a row for each number in the result, a column for each in the "
            f"arguments.{here()}"
        )
    return pattern


def _total(values: Sequence[Array]) -> int:
    return sum(v.aval.size for v in values)


def _formatted(matrix: Any, format: str) -> Any:
    return as_value(matrix.toarray()) if format == "dense" else matrix.asformat(format)
