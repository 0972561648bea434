"""Functions of matrices: exponential, square root, and any analytic function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib import lax
from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.numpy.linalg.norms import one_inexact
from adlib.numpy.promotion import promote_dtypes_inexact
from adlib.ops.linalg import matrix_functions as ops


def expm(A: Any, *, upper_triangular: bool = False, max_squarings: int = 16) -> Array:
    """The exponential of matrices, the sum of ``A**k / k!``.

    By scaling and squaring (Al-Mohy and Higham 2009); differentiable to any order.

    Args:
      A: (..., n, n).
      upper_triangular, max_squarings: taken for compatibility; the result needs neither.

    Raises ValueError for arrays that hold no square matrices.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.expm(jnp.array([[0.0, 1.0], [0.0, 0.0]]))
    Array([[1., 1.],
           [0., 1.]], dtype=float32)
    """
    x = one_inexact("expm", A)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"expm wants square matrices; it was given shape {x.shape}.{here()}")
    return ops.expm_p.bind(x)


def expm_frechet(A: Any, E: Any, *, method: str | None = None, compute_expm: bool = True) -> Any:
    """The derivative of ``expm`` at ``A`` in the direction ``E``.

    Args:
      A, E: (..., n, n).
      method: taken for compatibility.
      compute_expm: return ``(expm(A), derivative)`` rather than the derivative alone.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.expm_frechet(jnp.zeros((2, 2)), jnp.eye(2), compute_expm=False)
    Array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    a, e = promote_dtypes_inexact("expm_frechet", A, E)
    derivative = ops.expm_frechet_p.bind(a, e)
    return (expm(a), derivative) if compute_expm else derivative


def sqrtm(A: Any, blocksize: int = 1) -> Array:
    """The principal square root of matrices, complex: ``X X = A``.

    Differentiable where no eigenvalue is zero or negative.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.sqrtm(4 * jnp.eye(2)).real
    Array([[2., 0.],
           [0., 2.]], dtype=float32)
    """
    return ops.sqrtm_p.bind(_complex("sqrtm", A))


def funm(A: Any, func: Callable[[Array], Array], disp: bool = True) -> Any:
    """Any analytic function of a matrix, complex: by its eigenvalues and eigenvectors.

    Args:
      A: (n, n) with distinct eigenvalues; inaccurate where some nearly coincide.
      func: a function of an array, applied to the eigenvalues.
      disp: False returns an estimate of the relative error too.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.funm(jnp.diag(jnp.array([1.0, 4.0])), jnp.sqrt).real
    Array([[1., 0.],
           [0., 2.]], dtype=float32)
    """
    x = _complex("funm", A)
    if x.ndim != 2 or x.shape[0] != x.shape[1]:
        raise ValueError(f"funm wants a square matrix; it was given shape {x.shape}.{here()}")
    values, vectors = lax.linalg.eig(x, compute_left_eigenvectors=False, enable_eigvec_derivs=True)
    moved = jnp.linalg.solve(vectors.T, (vectors * func(values)).T).T
    if disp:
        return moved
    condition = jnp.linalg.cond(vectors)
    return moved, jnp.minimum(1, condition * jnp.finfo(x.dtype).eps)


def _complex(name: str, a: Any) -> Array:
    x = one_inexact(name, a)
    return x if x.dtype.kind == "c" else x.astype(jnp.promote_types(x.dtype, np.complex64))
