"""``adlib.scipy.sparse.linalg``: iterative solvers, differentiable without differentiating steps.

The derivatives come from the equation that the solution satisfies, by another solve with the
same matrix or its transpose (``custom_linear_solve``); so memory does not grow with the steps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax, tree_util
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array, scalar
from adlib.flatten_util import ravel_pytree

Operator = Callable[[Any], Any]
_map = tree_util.tree_map


def cg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
) -> tuple[Any, None]:
    """``x`` with ``A x = b`` for a Hermitian positive definite A, by conjugate gradients.

    Args:
      A: matrix, or a function ``v -> A v`` of trees like ``b``.
      b: right-hand side, a tree of arrays.
      x0: where to start; zeros by default.
      tol, atol: the end is ``norm(A x - b) <= max(tol * norm(b), atol)``.
      maxiter: most steps; ten times the number of unknowns by default.
      M: approximate inverse of A, as matrix or function.

    Returns:
      (x, None). Derivatives in ``b`` and in what A holds are exact for the exact solution.

    Raises:
      ValueError: trees or shapes that do not fit.
      TypeError: an A or M that is neither matrix nor function.

    Source: Hestenes and Stiefel (1952).

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.sparse.linalg import cg
    >>> cg(jnp.array([[4.0, 1.0], [1.0, 3.0]]), jnp.array([1.0, 2.0]))[0].round(4)
    Array([0.0909, 0.6364], dtype=float32)
    """
    return _solve("cg", _cg, A, b, x0, tol, atol, maxiter, M, symmetric=True)


def bicgstab(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
) -> tuple[Any, None]:
    """``x`` with ``A x = b``, by stabilized biconjugate gradients (van der Vorst 1992).

    Arguments, result and errors are those of ``cg``; A need not be symmetric.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.sparse.linalg import bicgstab
    >>> bicgstab(jnp.array([[4.0, 1.0], [0.0, 3.0]]), jnp.array([1.0, 3.0]))[0].round(4)
    Array([0., 1.], dtype=float32)
    """
    return _solve("bicgstab", _bicgstab, A, b, x0, tol, atol, maxiter, M, symmetric=False)


def gmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    restart: int = 20,
    maxiter: int | None = None,
    M: Any = None,
    solve_method: str = "batched",
) -> tuple[Any, Array]:
    """``x`` with ``A x = b``, by generalized minimal residuals (Saad and Schultz 1986).

    Arguments and errors are those of ``cg``, the result is (x, 0), and:

    Args:
      restart: size of the Krylov space after which it is built anew.
      maxiter: most restarts.
      solve_method: ``"batched"`` or ``"incremental"``; both give the same solution here.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy.sparse.linalg import gmres
    >>> gmres(jnp.array([[4.0, 1.0], [0.0, 3.0]]), jnp.array([1.0, 3.0]))[0].round(4)
    Array([0., 1.], dtype=float32)
    """
    if solve_method not in ("batched", "incremental"):
        raise ValueError(
            f"gmres takes solve_method 'batched' or 'incremental'; it was given {solve_method!r}."
            f"{here()}"
        )
    method = functools.partial(_gmres, restart=restart)
    x, _ = _solve("gmres", method, A, b, x0, tol, atol, maxiter, M, symmetric=False)
    return x, scalar(0, np.dtype(np.int32), True)


# ------------------------------------------------------------------------ set-up


def _solve(
    name: str,
    method: Callable[..., Any],
    A: Any,
    b: Any,
    x0: Any,
    tol: Any,
    atol: Any,
    maxiter: int | None,
    M: Any,
    *,
    symmetric: bool,
) -> tuple[Any, None]:
    b = _map(jnp.asarray, b)
    x0 = _map(jnp.zeros_like, b) if x0 is None else _map(jnp.asarray, x0)
    if tree_util.tree_structure(x0) != tree_util.tree_structure(b):
        raise ValueError(
            f"{name}: x0 and b must have matching tree structure; they have "
            f"{tree_util.tree_structure(x0)} and {tree_util.tree_structure(b)}.{here()}"
        )
    shapes = [[leaf.shape for leaf in tree_util.tree_leaves(t)] for t in (x0, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{name}: arrays in x0 and b must have matching shapes: {shapes[0]} and {shapes[1]}."
            f"{here()}"
        )
    dtype = jnp.result_type(*tree_util.tree_leaves(b), *tree_util.tree_leaves(x0), jnp.float16)
    b, x0 = (_map(lambda leaf: leaf.astype(dtype), t) for t in (b, x0))
    matvec, precondition = _operator(name, "A", A), _operator(name, "M", M)
    unknowns = sum(leaf.size for leaf in tree_util.tree_leaves(b))
    steps = 10 * unknowns if maxiter is None else maxiter

    def solver(product: Operator, right: Any) -> Any:
        limit = jnp.maximum(tol**2 * _dot(right, right).real, jnp.asarray(atol) ** 2)
        return method(product, right, x0, limit, steps, precondition)

    x = lax.custom_linear_solve(
        matvec, b, solve=solver, transpose_solve=solver, symmetric=symmetric
    )
    return x, None


def _operator(name: str, letter: str, A: Any) -> Operator:
    if A is None:
        return lambda v: v
    if callable(A):
        return A
    if not hasattr(A, "ndim") or A.ndim != 2 or A.shape[0] != A.shape[1]:
        raise (ValueError if hasattr(A, "ndim") else TypeError)(
            f"{name} wants {letter} as a square matrix or a function; it was given "
            f"{getattr(A, 'shape', type(A).__name__)}.{here()}"
        )
    return lambda v: jnp.matmul(A, v)


def _dot(x: Any, y: Any) -> Any:
    """The inner product of trees, conjugated in ``x``."""
    parts = _map(lambda a, b: jnp.vdot(a, b, precision=lax.Precision.HIGHEST), x, y)
    return sum(tree_util.tree_leaves(parts))


def _add(x: Any, factor: Any, y: Any) -> Any:
    return _map(lambda a, b: a + (factor * b).astype(a.dtype), x, y)


def _minus(x: Any, y: Any) -> Any:
    return _map(lambda a, b: a - b, x, y)


# ------------------------------------------------------------------------ methods


def _cg(A: Operator, b: Any, x0: Any, limit: Any, steps: int, M: Operator) -> Any:
    def going(state: Any) -> Any:
        _, r, _, _, k = state
        return (_dot(r, r).real > limit) & (k < steps)

    def step(state: Any) -> Any:
        x, r, gamma, p, k = state
        Ap = A(p)
        alpha = gamma / _dot(p, Ap).real
        x, r = _add(x, alpha, p), _add(r, -alpha, Ap)
        z = M(r)
        next_gamma = _dot(r, z).real
        return x, r, next_gamma, _add(z, next_gamma / gamma, p), k + 1

    r = _minus(b, A(x0))
    z = M(r)
    return lax.while_loop(going, step, (x0, r, _dot(r, z).real, z, 0))[0]


def _bicgstab(A: Operator, b: Any, x0: Any, limit: Any, steps: int, M: Operator) -> Any:
    r0 = _minus(b, A(x0))
    one = jnp.ones((), jnp.result_type(*tree_util.tree_leaves(b)))

    def going(state: Any) -> Any:
        _, r, _, _, _, _, _, k = state
        return (_dot(r, r).real > limit) & (k < steps) & (k >= 0)

    def step(state: Any) -> Any:
        x, r, rho, alpha, omega, p, v, k = state
        next_rho = _dot(r0, r)
        beta = next_rho / rho * alpha / omega
        p = _add(r, beta, _add(p, -omega, v))
        p_hat = M(p)
        v = A(p_hat)
        alpha = next_rho / _dot(r0, v)
        s = _add(r, -alpha, v)
        early = _dot(s, s).real < limit
        s_hat = M(s)
        t = A(s_hat)
        square = _dot(t, t)
        omega = jnp.where(early | (square == 0), 0, _dot(t, s) / jnp.where(square == 0, 1, square))
        x = _add(_add(x, alpha, p_hat), omega, s_hat)
        r = _add(s, -omega, t)
        # nothing is left to go on with: stop where the recurrence breaks down
        broken = ((omega == 0) & ~early) | (next_rho == 0)
        return (
            x,
            r,
            next_rho,
            alpha,
            jnp.where(omega == 0, 1, omega),
            p,
            v,
            jnp.where(broken, -1, k + 1),
        )

    zeros = _map(jnp.zeros_like, b)
    state = (x0, r0, one, one, one, zeros, zeros, 0)
    return lax.while_loop(going, step, state)[0]


def _gmres(
    A: Operator, b: Any, x0: Any, limit: Any, steps: int, M: Operator, *, restart: int
) -> Any:
    """Restarted, preconditioned from the left, with classical Gram–Schmidt done twice."""

    flat_b, unravel = ravel_pytree(b)
    n = flat_b.shape[0]
    size = min(restart, n)

    def product(v: Any) -> Any:
        return ravel_pytree(A(unravel(v)))[0]

    def precondition(v: Any) -> Any:
        return ravel_pytree(M(unravel(v)))[0]

    def arnoldi(j: Any, state: Any) -> Any:
        basis, h = state
        w = precondition(product(basis[:, j]))
        first = jnp.conj(basis.T) @ w
        w = w - basis @ first
        second = jnp.conj(basis.T) @ w
        w = w - basis @ second
        length = jnp.linalg.norm(w)
        tiny = length <= jnp.finfo(w.dtype).eps * jnp.linalg.norm(first)
        column = (first + second).at[j + 1].set(jnp.where(tiny, 0, length).astype(h.dtype))
        w = jnp.where(tiny, jnp.zeros_like(w), w / jnp.where(tiny, 1, length))
        return basis.at[:, j + 1].set(w), h.at[:, j].set(column)

    def going(state: Any) -> Any:
        _, square, k = state
        return (square > limit) & (k < steps)

    def cycle(state: Any) -> Any:
        x, _, k = state
        r = precondition(flat_b - product(x))
        length = jnp.linalg.norm(r)
        start = jnp.where(length == 0, r, r / jnp.where(length == 0, 1, length))
        basis = jnp.zeros((n, size + 1), r.dtype).at[:, 0].set(start)
        h = jnp.zeros((size + 1, size), r.dtype)
        basis, h = lax.fori_loop(0, size, arnoldi, (basis, h))
        right = jnp.zeros(size + 1, r.dtype).at[0].set(length.astype(r.dtype))
        y = jnp.linalg.lstsq(h, right)[0]
        x = x + basis[:, :size] @ y
        residual = flat_b - product(x)
        return x, jnp.vdot(residual, residual).real, k + 1

    flat_x = ravel_pytree(x0)[0]
    first = flat_b - product(flat_x)
    state = (flat_x, jnp.vdot(first, first).real, 0)
    return unravel(lax.while_loop(going, cycle, state)[0])


__all__ = ["bicgstab", "cg", "gmres"]
