"""Matrices of a special form, from vectors or from their size."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, as_value
from adlib.ops.linalg.parts import libraries


def _vector(name: str, x: Any, least: int = 0) -> Array:
    """``x`` as an array of vectors of ``least`` elements or more."""
    x = jnp.atleast_1d(jnp.asarray(as_value(x) if not isinstance(x, Array) else x))
    if x.shape[-1] < least:
        raise ValueError(
            f"{name} wants vectors of {least} elements or more; it was given shape {x.shape}."
            f"{here()}"
        )
    return x


def _constant(name: str, n: int, *args: Any, dtype: Any = None, **kwargs: Any) -> Array:
    """SciPy's matrix of the size ``n``, exact in double precision, in the default dtype."""
    size = operator.index(n)
    if size < 0:
        raise ValueError(f"{name} wants a size of 0 or more; it was given {n}.{here()}")
    made = getattr(libraries.scipy, name)(size, *args, **kwargs)
    kind = {"f": float, "c": complex, "i": int, "u": float, "O": float}[made.dtype.kind]
    return jnp.asarray(made.astype(dtypes.canonicalize_dtype(dtype or kind)))


def block_diag(*arrs: Any) -> Array:
    """A matrix with the given matrices along its diagonal, zero elsewhere; vectors are rows.

    Raises:
      ValueError: an array of more than two dimensions.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.block_diag(jnp.ones((1, 1)), 2 * jnp.ones((1, 2)))
    Array([[1., 0., 0.],
           [0., 2., 2.]], dtype=float32)
    """
    blocks = [jnp.atleast_2d(jnp.asarray(a)) for a in arrs] or [jnp.zeros((1, 0))]
    for i, block in enumerate(blocks):
        if block.ndim > 2:
            raise ValueError(
                f"block_diag wants matrices; argument {i} has shape {block.shape}.{here()}"
            )
    dtype = jnp.result_type(*blocks)
    width = sum(block.shape[1] for block in blocks)
    rows, before = [], 0
    for block in blocks:
        after = width - before - block.shape[1]
        rows.append(jnp.pad(block.astype(dtype), ((0, 0), (before, after))))
        before += block.shape[1]
    return jnp.concatenate(rows)


def toeplitz(c: Any, r: Any = None) -> Array:
    """Matrices that are constant along diagonals, from their first column and row.

    Args:
      c: first column, (..., m).
      r: first row, (..., n), of which the first element is not read; ``conj(c)`` by default.

    Returns:
      (..., m, n).

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.toeplitz(jnp.array([1, 2]), jnp.array([0, 3]))
    Array([[1, 3],
           [2, 1]], dtype=int32)
    """
    c = _vector("toeplitz", c)
    r = jnp.conj(c) if r is None else _vector("toeplitz", r)
    m, n = c.shape[-1], r.shape[-1]
    dtype = jnp.result_type(c, r)
    if not m or not n:
        return jnp.zeros((*jnp.broadcast_shapes(c.shape[:-1], r.shape[:-1]), m, n), dtype)
    batch = jnp.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    c, r = jnp.broadcast_to(c, (*batch, m)), jnp.broadcast_to(r, (*batch, n))
    line = jnp.concatenate([c[..., ::-1].astype(dtype), r[..., 1:].astype(dtype)], axis=-1)
    places = (m - 1) - np.arange(m)[:, None] + np.arange(n)
    return line[..., places]


def hankel(c: Any, r: Any = None) -> Array:
    """Matrices that are constant along antidiagonals, from their first column and last row.

    Args:
      c: first column, (..., m).
      r: last row, (..., n), of which the first element is not read; zeros by default.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.hankel(jnp.array([1, 2]))
    Array([[1, 2],
           [2, 0]], dtype=int32)
    """
    c = _vector("hankel", c)
    r = jnp.zeros_like(c) if r is None else _vector("hankel", r)
    m, n = c.shape[-1], r.shape[-1]
    dtype = jnp.result_type(c, r)
    batch = jnp.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    c, r = jnp.broadcast_to(c, (*batch, m)), jnp.broadcast_to(r, (*batch, n))
    line = jnp.concatenate([c.astype(dtype), r[..., 1:].astype(dtype)], axis=-1)
    return line[..., np.arange(m)[:, None] + np.arange(n)]


def circulant(c: Any) -> Array:
    """Matrices whose columns are ``c`` shifted around: (..., n, n) from (..., n).

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.circulant(jnp.array([1, 2, 3]))
    Array([[1, 3, 2],
           [2, 1, 3],
           [3, 2, 1]], dtype=int32)
    """
    c = _vector("circulant", c, 1)
    n = c.shape[-1]
    return c[..., (np.arange(n)[:, None] - np.arange(n)) % n]


def companion(a: Any) -> Array:
    """The matrices whose eigenvalues are the roots of polynomials, highest power first.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.companion(jnp.array([1.0, -10.0, 31.0]))
    Array([[ 10., -31.],
           [  1.,   0.]], dtype=float32)
    """
    a = _vector("companion", a, 2)
    top = -a[..., 1:] / a[..., :1]
    n = top.shape[-1]
    below = jnp.broadcast_to(jnp.eye(n - 1, n, dtype=top.dtype), (*top.shape[:-1], n - 1, n))
    return jnp.concatenate([top[..., None, :], below], axis=-2)


def fiedler_companion(a: Any) -> Array:
    """Pentadiagonal matrices with the eigenvalues of ``companion(a)`` (Fiedler 2003):
    (..., n - 1, n - 1) from (..., n).

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.fiedler_companion(jnp.array([1.0, -10.0, 31.0]))
    Array([[ 10., -31.],
           [  1.,   0.]], dtype=float32)
    """
    a = _vector("fiedler_companion", a, 1)
    batch = a.shape[:-1]
    if a.shape[-1] == 1:
        return jnp.zeros((*batch, 0, 0), a.dtype)
    a = a / a[..., :1]
    n = a.shape[-1] - 1
    if n == 1:
        return -a[..., 1:, None]
    places, entries = [], []
    for row in range(0, n, 2):
        before = max(row - 1, 0)
        wanted = [(row, before, -a[..., row + 1]), (row, row + 1, None), (row, row + 2, 1.0)]
        if row + 2 <= n:
            wanted[1] = (row, row + 1, -a[..., row + 2])
        for i, k, entry in [*wanted, (row + 1, before, 1.0)]:
            if i < n and k < n and entry is not None:
                places.append((i, k))
                entries.append(jnp.broadcast_to(jnp.asarray(entry, a.dtype), batch))
    rows, columns = np.transpose(places)
    full = jnp.zeros((*batch, n, n), a.dtype)
    return full.at[..., rows, columns].set(jnp.stack(entries, axis=-1))


def fiedler(a: Any) -> Array:
    """The distances ``abs(a[i] - a[j])`` as a symmetric matrix: (..., n, n) from (..., n).

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.fiedler(jnp.array([1, 4]))
    Array([[0, 3],
           [3, 0]], dtype=int32)
    """
    a = _vector("fiedler", a)
    return jnp.abs(a[..., :, None] - a[..., None, :])


def leslie(f: Any, s: Any) -> Array:
    """The matrix of a population by age, from fecundities (..., n) and survivals (..., n - 1).

    Raises:
      ValueError: lengths that do not fit.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.leslie(jnp.array([0.1, 2.0]), jnp.array([0.2]))
    Array([[0.1, 2. ],
           [0.2, 0. ]], dtype=float32)
    """
    f, s = _vector("leslie", f, 2), _vector("leslie", s, 1)
    n = f.shape[-1]
    if s.shape[-1] != n - 1:
        raise ValueError(
            f"leslie wants one survival fewer than fecundities; it was given shapes {f.shape} and "
            f"{s.shape}.{here()}"
        )
    dtype = jnp.result_type(f, s)
    batch = jnp.broadcast_shapes(f.shape[:-1], s.shape[:-1])
    below = s.astype(dtype)[..., :, None] * jnp.eye(n - 1, n, dtype=dtype)
    top = jnp.broadcast_to(f.astype(dtype), (*batch, n))[..., None, :]
    return jnp.concatenate([top, jnp.broadcast_to(below, (*batch, n - 1, n))], axis=-2)


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Array:
    """The matrix that convolves vectors of length ``n`` with ``a``: (..., k, n) from (..., m).

    ``mode`` is that of ``convolve``: ``"full"``, ``"same"`` or ``"valid"``.

    >>> import adlib.numpy as jnp
    >>> from adlib.scipy import linalg
    >>> linalg.convolution_matrix(jnp.array([1, 2]), 2)
    Array([[1, 0],
           [2, 1],
           [0, 2]], dtype=int32)
    """
    a, n = _vector("convolution_matrix", a, 1), operator.index(n)
    if n < 1:
        raise ValueError(f"convolution_matrix wants n of 1 or more; it was given {n}.{here()}")
    if mode not in ("full", "valid", "same"):
        raise ValueError(
            f"convolution_matrix takes mode 'full', 'same' or 'valid'; it was given {mode!r}."
            f"{here()}"
        )
    m = a.shape[-1]
    padded = jnp.pad(a, [(0, 0)] * (a.ndim - 1) + [(n - 1, n - 1)])
    full = padded[..., np.arange(m + n - 1)[:, None] - np.arange(n) + n - 1]
    if mode == "full":
        return full
    short, long = sorted((m, n))
    if mode == "valid":
        return full[..., short - 1 : long, :]
    start = (short - 1) // 2
    return full[..., start : start + long, :]


def dft(n: int, scale: str | None = None, *, dtype: Any = None) -> Array:
    """The matrix of the discrete Fourier transform.

    ``scale`` is None, ``"sqrtn"`` (unitary) or ``"n"``.

    >>> from adlib.scipy import linalg
    >>> linalg.dft(2).real
    Array([[ 1.,  1.],
           [ 1., -1.]], dtype=float32)
    """
    if scale not in (None, "sqrtn", "n"):
        raise ValueError(f"dft takes scale None, 'sqrtn' or 'n'; it was given {scale!r}.{here()}")
    return _constant("dft", n, scale, dtype=dtype)


def hadamard(n: int, dtype: Any = int) -> Array:
    """Sylvester's matrix of signs with orthogonal rows, for ``n`` a power of two.

    >>> from adlib.scipy import linalg
    >>> linalg.hadamard(2)
    Array([[ 1,  1],
           [ 1, -1]], dtype=int32)
    """
    size = operator.index(n)
    if size < 1 or size & (size - 1):
        raise ValueError(f"hadamard wants a power of two; it was given {n}.{here()}")
    return _constant("hadamard", size, dtype=dtype)


def helmert(n: int, full: bool = False) -> Array:
    """Helmert's orthonormal rows that sum to zero; with ``full`` the constant row comes first.

    >>> from adlib.scipy import linalg
    >>> linalg.helmert(2)
    Array([[ 0.70710677, -0.70710677]], dtype=float32)
    """
    if operator.index(n) < 1:
        raise ValueError(f"helmert wants n of 1 or more; it was given {n}.{here()}")
    return _constant("helmert", n, full)


def hilbert(n: int) -> Array:
    """``1 / (i + j + 1)``: the classical ill-conditioned matrix.

    >>> from adlib.scipy import linalg
    >>> linalg.hilbert(2)
    Array([[1.        , 0.5       ],
           [0.5       , 0.33333334]], dtype=float32)
    """
    return _constant("hilbert", n)


def invhilbert(n: int) -> Array:
    """The inverse of ``hilbert(n)``, whose entries are whole numbers.

    >>> from adlib.scipy import linalg
    >>> linalg.invhilbert(2)
    Array([[ 4., -6.],
           [-6., 12.]], dtype=float32)
    """
    return _constant("invhilbert", n, exact=False)


def pascal(n: int, kind: str | None = None) -> Array:
    """The binomial coefficients as a symmetric, ``"lower"`` or ``"upper"`` triangular matrix.

    >>> from adlib.scipy import linalg
    >>> linalg.pascal(3)
    Array([[1., 1., 1.],
           [1., 2., 3.],
           [1., 3., 6.]], dtype=float32)
    """
    return _constant("pascal", n, _kind("pascal", kind), exact=False)


def invpascal(n: int, kind: str | None = None) -> Array:
    """The inverse of ``pascal(n, kind)``.

    >>> from adlib.scipy import linalg
    >>> linalg.invpascal(2)
    Array([[ 2., -1.],
           [-1.,  1.]], dtype=float32)
    """
    return _constant("invpascal", n, _kind("invpascal", kind), exact=False)


def _kind(name: str, kind: str | None) -> str:
    if kind not in (None, "symmetric", "lower", "upper"):
        raise ValueError(
            f"{name} takes kind 'symmetric', 'lower' or 'upper'; it was given {kind!r}.{here()}"
        )
    return kind or "symmetric"
