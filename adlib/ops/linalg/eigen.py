"""Eigenvalues and eigenvectors: ``eigh`` of Hermitian matrices, ``eig`` of any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops.arithmetic import add, div, eq, mul, sub
from adlib.ops.conversion import complex as complex_
from adlib.ops.conversion import convert, imag, real
from adlib.ops.linalg import parts
from adlib.ops.linalg.lu import inverse
from adlib.ops.operands import normal, operands
from adlib.ops.reductions import reduce_max
from adlib.ops.reshaping import full_like, reduce_sum
from adlib.ops.rounding import abs as abs_

Range = tuple[int, int] | None

# ----------------------------------------------------------------------- eigh


def _eigh_shape(
    x: ShapedArray, *, lower: bool, sort_eigenvalues: bool, subset_by_index: Range
) -> list[ShapedArray]:
    parts.check_matrix("eigh", x, square=True)
    *batch, n, _ = x.shape
    count = n
    if subset_by_index is not None:
        start, stop = subset_by_index
        if not 0 <= start < stop <= n:
            raise ValueError(
                f"eigh: subset_by_index {subset_by_index} is no range within the {n} eigenvalues; "
                f"it is (first, last + 1).{here()}"
            )
        count = stop - start
    return [
        ShapedArray((*batch, n, count), x.dtype),
        ShapedArray((*batch, count), dtypes.real_of(x.dtype)),
    ]


def _eigh_kernel(
    xp: Any, lower: bool, sort_eigenvalues: bool, subset_by_index: Range
) -> Callable[..., Any]:
    triangle = "L" if lower else "U"
    chosen = slice(None) if subset_by_index is None else slice(*subset_by_index)

    def factorize(x: Any) -> Any:
        values, vectors = xp.linalg.eigh(x, triangle)
        return vectors, values

    def eigh(x: Any) -> Any:
        n = x.shape[-1]
        failed = [((n, n), x.dtype), ((n,), x.real.dtype)]
        vectors, values = parts.nan_where_it_fails(xp, factorize, x, failed)
        if not xp.isfinite(x).all():
            bad = parts.has_nan(xp, x)
            vectors = xp.where(bad, x.dtype.type(np.nan), vectors)
            values = xp.where(bad[..., 0], values.dtype.type(np.nan), values)
        return vectors[..., chosen], values[..., chosen]

    return eigh


def _eigh_jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    lower: bool,
    subset_by_index: Range,
    **params: Any,
) -> tuple[list[Any], list[Any]]:
    """``dw = diag(Vᴴ dx V)``, ``dV = V (F ∘ Vᴴ dx V)``, ``F_ij = 1 / (w_j - w_i)`` (Giles 2008).

    Where eigenvalues coincide the eigenvectors have no derivative, and F is infinite.
    """
    (x,), (dx,) = primals, tangents
    if subset_by_index is not None and subset_by_index != (0, x.aval.shape[-1]):
        raise NotImplementedError(
            "Derivatives of eigh with subset_by_index: its eigenvectors turn towards those that "
            f"were left out.{here()}\n  Repair: compute all and take a slice."
        )
    vectors, values = eigh_p.bind(x, lower=lower, subset_by_index=subset_by_index, **params)
    if type(dx) is Zero:
        return [vectors, values], [Zero.like(vectors), Zero.like(values)]
    if not lower:
        dx = parts.matrix_transpose(dx)
        dx = parts.matrix_transpose(parts.from_lower(dx))
    else:
        dx = parts.from_lower(dx)
    inner = parts.product(parts.adjoint_product(vectors, dx), vectors)
    diagonal = parts.diagonal_of(inner)
    d_values = real(diagonal) if dtypes.is_complex(x.aval.dtype) else diagonal
    gaps = sub(parts.columns(values), parts.rows(values))
    weights = reciprocal_beside_diagonal(gaps)
    d_vectors = parts.product(vectors, mul(convert(weights, x.aval.dtype), inner))
    return [vectors, values], [d_vectors, d_values]


def reciprocal_beside_diagonal(gaps: Any) -> Any:
    """``1 / gaps`` with zeros on the diagonal, where the gaps are zero."""
    eye = parts.constant("eye", gaps)
    return sub(div(full_like(gaps, 1), add(gaps, eye)), eye)


def _symmetric(*shape: int, dtype: Any = np.float32) -> Any:
    """A sample argument: Hermitian matrices with distinct eigenvalues."""

    def make(rng: np.random.Generator) -> Any:
        x = normal(*shape, dtype=dtype)(rng)
        x = x + x.conj().swapaxes(-1, -2)
        return (x + np.diag(3.0 * np.arange(shape[-1]))).astype(dtype)

    return make


def _eigh_params(**changes: Any) -> dict[str, Any]:
    return dict(lower=True, sort_eigenvalues=True, subset_by_index=None) | changes


eigh_p: Primitive = define_primitive(
    "eigh",
    shape=_eigh_shape,
    kernel=_eigh_kernel,
    jvp=_eigh_jvp,
    batch=parts.stacked_batch(lambda: eigh_p),
    multiple_results=True,
    # complex eigenvectors are unique but for a phase, which LAPACK chooses otherwise than the
    # rule, so that differences of them say nothing: those have tests of their own
    samples=lambda: [
        Sample((_symmetric(3, 3),), _eigh_params()),
        Sample((_symmetric(3, 3),), _eigh_params(lower=False), "upper"),
        Sample((_symmetric(2, 2, 2),), _eigh_params(), "stack"),
    ],
)


def eigh(
    x: Any,
    *,
    lower: bool = True,
    symmetrize_input: bool = True,
    sort_eigenvalues: bool = True,
    subset_by_index: Range = None,
    implementation: Any = None,
) -> tuple[Any, Any]:
    """Eigenvectors and eigenvalues of Hermitian matrices.

    Args:
      x: (..., n, n), float or complex.
      lower: which triangle is read.
      symmetrize_input: work on ``(x + xᴴ) / 2``.
      sort_eigenvalues: kept for compatibility: they always ascend.
      subset_by_index: (first, last + 1) of the eigenvalues wanted.

    Returns:
      (..., n, n) whose column i is an eigenvector of eigenvalue i, and the real (..., n)
      eigenvalues; NaN where the iteration failed.

    >>> from adlib.lax import linalg
    >>> import adlib.numpy as jnp
    >>> linalg.eigh(jnp.array([[2.0, 0.0], [0.0, 1.0]]))[1]
    Array([1., 2.], dtype=float32)
    """
    (x,) = operands("eigh", x)
    parts.check_matrix("eigh", x.aval, square=True)
    if symmetrize_input:
        x = parts.symmetrized(x)
    subset = None if subset_by_index is None else (int(subset_by_index[0]), int(subset_by_index[1]))
    vectors, values = eigh_p.bind(
        x, lower=bool(lower), sort_eigenvalues=bool(sort_eigenvalues), subset_by_index=subset
    )
    return vectors, values


# ------------------------------------------------------------------------ eig


def _eig_shape(
    x: ShapedArray,
    *,
    compute_left_eigenvectors: bool,
    compute_right_eigenvectors: bool,
    enable_eigvec_derivs: bool,
) -> list[ShapedArray]:
    parts.check_matrix("eig", x, square=True)
    dtype = dtypes.complex_of(x.dtype)
    vectors = [compute_left_eigenvectors, compute_right_eigenvectors].count(True)
    return [ShapedArray(x.shape[:-1], dtype), *[ShapedArray(x.shape, dtype)] * vectors]


def _eig_kernel(
    xp: Any,
    compute_left_eigenvectors: bool,
    compute_right_eigenvectors: bool,
    enable_eigvec_derivs: bool,
) -> Callable[..., Any]:
    def right(x: Any) -> Any:
        if not compute_right_eigenvectors:
            values = np.linalg.eigvals(x)
            return values, np.broadcast_to(values[..., None], x.shape)  # the second is not read
        values, vectors = np.linalg.eig(x)
        return values, vectors

    def eig(x: Any) -> Any:
        n = x.shape[-1]
        dtype = dtypes.complex_of(x.dtype)
        bad = ~np.isfinite(x).all(axis=(-2, -1), keepdims=True)
        if bad.any():  # the library raises for the whole stack
            x = np.where(bad, x.dtype.type(0), x)
        failed = [((n,), dtype), ((n, n), dtype)]
        values, vectors = (
            v.astype(dtype, copy=False) for v in parts.nan_where_it_fails(np, right, x, failed)
        )
        nan = dtype.type(complex(np.nan, np.nan))
        outs = [np.where(bad[..., 0], nan, values)]
        if compute_left_eigenvectors:
            outs.append(np.where(bad, nan, _left_vectors(x, values)))
        if compute_right_eigenvectors:
            outs.append(np.where(bad, nan, vectors))
        return tuple(outs)

    return parts.on_cpu(xp, eig)


def _left_vectors(x: Any, values: Any) -> Any:
    """Columns u with ``uᴴ x = w uᴴ``: LAPACK's, in the order of the right ones."""

    def one(matrix: Any) -> Any:
        try:
            found = parts.libraries.scipy.eig(matrix, left=True, right=False, check_finite=False)
        except np.linalg.LinAlgError:
            return np.full(matrix.shape, np.nan, values.dtype)
        return found[1].astype(values.dtype, copy=False)

    return parts.each_matrix(one, (2,), x)


def _eig_jvp(
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    compute_left_eigenvectors: bool,
    compute_right_eigenvectors: bool,
    enable_eigvec_derivs: bool,
) -> tuple[list[Any], list[Any]]:
    """``dw = diag(V⁻¹ dx V)`` (Giles 2008); eigenvectors by Boeddeker et al. 2017."""
    (x,), (dx,) = primals, tangents
    outs = eig_p.bind(
        x,
        compute_left_eigenvectors=compute_left_eigenvectors,
        compute_right_eigenvectors=compute_right_eigenvectors,
        enable_eigvec_derivs=enable_eigvec_derivs,
    )
    if type(dx) is Zero:
        return outs, [Zero.like(o) for o in outs]
    if compute_left_eigenvectors or (compute_right_eigenvectors and not enable_eigvec_derivs):
        raise NotImplementedError(
            "Derivatives of the eigenvectors of matrices that need not be Hermitian hold only "
            f"where all eigenvalues are distinct, which cannot be checked here.{here()}\n"
            "  Repair: eigh for Hermitian matrices; jnp.linalg.eigvals where the eigenvalues are "
            "enough; or, to say that they are distinct, lax.linalg.eig(x, "
            "compute_left_eigenvectors=False, enable_eigvec_derivs=True)."
        )
    dtype = dtypes.complex_of(x.aval.dtype)
    wide, dx = convert(x, dtype), convert(dx, dtype)
    if compute_right_eigenvectors:
        values, vectors = outs
    else:
        values, vectors = eig_p.bind(
            wide,
            compute_left_eigenvectors=False,
            compute_right_eigenvectors=True,
            enable_eigvec_derivs=True,
        )
        outs = [values]
    inner = parts.product(inverse(vectors), parts.product(dx, vectors))
    d_values = parts.diagonal_of(inner)
    if not compute_right_eigenvectors:
        return outs, [d_values]
    gaps = sub(parts.columns(values), parts.rows(values))
    moved = parts.product(vectors, mul(reciprocal_beside_diagonal(gaps), inner))
    return outs, [d_values, _of_unit_length(vectors, moved)]


def _of_unit_length(vectors: Any, moved: Any) -> Any:
    """Tangents of eigenvectors as LAPACK scales them: of length 1, the largest entry real."""
    axis = (len(vectors.aval.shape) - 2,)
    along = reduce_sum(mul(parts.conjugate(vectors), moved), axis)
    moved = sub(moved, mul(vectors, parts.columns(along)))
    sizes = abs_(vectors)
    largest = eq(sizes, parts.columns(reduce_max(sizes, axis)))
    entry = reduce_sum(mul(vectors, convert(largest, vectors.aval.dtype)), axis)
    turn = mul(imag(moved), convert(largest, sizes.aval.dtype))
    turn = div(reduce_sum(turn, axis), real(entry))
    phase = parts.columns(complex_(mul(turn, full_like(turn, 0)), turn))
    return sub(moved, mul(vectors, phase))


_VECTORS: dict[str, Any] = dict(compute_right_eigenvectors=True, enable_eigvec_derivs=True)

eig_p: Primitive = define_primitive(
    "eig",
    shape=_eig_shape,
    kernel=_eig_kernel,
    jvp=_eig_jvp,
    batch=parts.stacked_batch(lambda: eig_p),
    multiple_results=True,
    samples=lambda: [
        Sample((_general(3, 3),), _eig_params(), "values"),
        Sample((_general(2, 2, dtype=np.complex64),), _eig_params(), "complex"),
        Sample((_general(2, 2, 2),), _eig_params(), "stack"),
        Sample((_general(3, 3),), _eig_params() | _VECTORS, "vectors"),
        Sample((_general(2, 2, dtype=np.complex64),), _eig_params() | _VECTORS, "complex-vectors"),
    ],
)


def _general(*shape: int, dtype: Any = np.float32) -> Any:
    """A sample argument: matrices with distinct real parts of their eigenvalues."""

    def make(rng: np.random.Generator) -> Any:
        x = normal(*shape, dtype=dtype)(rng)
        return (0.5 * x + np.diag(2.0 * np.arange(shape[-1]))).astype(dtype)

    return make


def _eig_params() -> dict[str, Any]:
    return dict(
        compute_left_eigenvectors=False,
        compute_right_eigenvectors=False,
        enable_eigvec_derivs=False,
    )


def eig(
    x: Any,
    *,
    compute_left_eigenvectors: bool = True,
    compute_right_eigenvectors: bool = True,
    enable_eigvec_derivs: bool = False,
    implementation: Any = None,
    use_magma: bool | None = None,
) -> list[Any]:
    """Eigenvalues and eigenvectors of square matrices, always complex.

    Args:
      x: (..., n, n), float or complex.
      compute_left_eigenvectors, compute_right_eigenvectors: which eigenvectors to return.
      enable_eigvec_derivs: differentiate right eigenvectors too, on the assumption that all
        eigenvalues are distinct; their derivatives are those of unit vectors.

    Returns:
      [eigenvalues (..., n), left eigenvectors (..., n, n), right eigenvectors (..., n, n)] as
      far as asked for; NaN where the iteration failed.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> x = jnp.array([[0.0, 1.0], [-1.0, 0.0]])
    >>> values, vectors = lax.linalg.eig(x, compute_left_eigenvectors=False)
    >>> jnp.sort(values.imag).round(4), vectors.shape
    (Array([-1.,  1.], dtype=float32), (2, 2))
    """
    (x,) = operands("eig", x)
    return eig_p.bind(  # type: ignore[no-any-return]
        x,
        compute_left_eigenvectors=bool(compute_left_eigenvectors),
        compute_right_eigenvectors=bool(compute_right_eigenvectors),
        enable_eigvec_derivs=bool(enable_eigvec_derivs),
    )
