"""Solving systems of linear equations, under SciPy's names."""

from __future__ import annotations

from typing import Any

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.lax import linalg
from adlib.numpy.promotion import promote_dtypes_inexact
from adlib.ops.linalg.matrix_functions import sylvester_p
from adlib.scipy.linalg.factorizations import cho_factor, cho_solve
from adlib.scipy.linalg.systems import broadcast_systems


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """Determinants of square matrices.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.det(2 * jnp.eye(3))
    Array(8., dtype=float32)
    """
    return jnp.linalg.det(a)


def inv(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """Inverses of square matrices; ``solve`` is more accurate where a product follows.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.inv(2 * jnp.eye(2))
    Array([[0.5, 0. ],
           [0. , 0.5]], dtype=float32)
    """
    return jnp.linalg.inv(a)


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    debug: bool = False,
    check_finite: bool = True,
    assume_a: str = "gen",
) -> Array:
    """``x`` with ``a x = b``.

    Args:
      a: (..., n, n).
      b: (..., n) for one system, (..., n, k) for several of a matrix.
      lower: which triangle is read with ``assume_a="pos"``.
      assume_a: ``"gen"``, ``"sym"``, ``"her"``, or ``"pos"`` for Cholesky's method; NaN where a
        matrix is not positive definite then.

    Raises:
      ValueError: another ``assume_a``, shapes that do not fit.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.solve(2 * jnp.eye(2), jnp.ones(2), assume_a="pos")
    Array([0.5, 0.5], dtype=float32)
    """
    if assume_a not in ("gen", "sym", "her", "pos"):
        raise ValueError(
            f"solve takes assume_a 'gen', 'sym', 'her' or 'pos'; it was given {assume_a!r}.{here()}"
        )
    if assume_a == "pos":
        return cho_solve(cho_factor(a, lower=lower), b)
    a, b = promote_dtypes_inexact("solve", a, b)
    a, x, column = broadcast_systems("solve", a, b)
    x = jnp.linalg.solve(a, x)
    return x[..., 0] if column else x


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    debug: Any = None,
    check_finite: bool = True,
) -> Array:
    """``x`` with ``op(a) x = b`` for triangular matrices.

    Args:
      a: (..., n, n), of which one triangle is read.
      b: (..., n) or (..., n, k).
      trans: 0 or ``"N"``, 1 or ``"T"``, 2 or ``"C"``: op is the identity, transpose or adjoint.
      lower: which triangle is read.
      unit_diagonal: take the diagonal as ones.

    Raises:
      ValueError: another ``trans``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.solve_triangular(jnp.array([[2.0, 0.0], [1.0, 1.0]]), jnp.ones(2), lower=True)
    Array([0.5, 0.5], dtype=float32)
    """
    codes = {0: 0, "N": 0, 1: 1, "T": 1, 2: 2, "C": 2}
    if trans not in codes:
        raise ValueError(
            f"solve_triangular takes trans 0, 1, 2 or 'N', 'T', 'C'; it was given {trans!r}."
            f"{here()}"
        )
    a, b = promote_dtypes_inexact("solve_triangular", a, b)
    a, x, column = broadcast_systems("solve_triangular", a, b)
    x = linalg.triangular_solve(
        a,
        x,
        left_side=True,
        lower=lower,
        transpose_a=codes[trans] > 0,
        conjugate_a=codes[trans] == 2,
        unit_diagonal=unit_diagonal,
    )
    return x[..., 0] if column else x


def solve_sylvester(A: Any, B: Any, C: Any, *, method: str = "schur", tol: float = 1e-8) -> Array:
    """``X`` with ``A X + X B = C``, by Schur's forms of A and B (Bartels and Stewart 1972).

    Args:
      A, B, C: (..., m, m), (..., n, n) and (..., m, n).
      method, tol: taken for compatibility.

    Returns:
      (..., m, n); infinite or NaN where an eigenvalue of A is minus one of B.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.solve_sylvester(jnp.eye(2), jnp.eye(2), jnp.ones((2, 2)))
    Array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """
    if method not in ("schur", "eigen"):
        raise ValueError(
            f"solve_sylvester takes method 'schur' or 'eigen'; it was given {method!r}.{here()}"
        )
    return sylvester_p.bind(*promote_dtypes_inexact("solve_sylvester", A, B, C))
