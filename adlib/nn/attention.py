"""Dot-product attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adlib import numpy as jnp
from adlib.base.source import here
from adlib.core.array import Array
from adlib.nn.normalization import logsumexp, softmax


def _check(query: Array, key: Array, value: Array) -> None:
    q, k, v = (x.aval.shape for x in (query, key, value))
    fits = (
        len(q) == len(k) == len(v) == 4
        and k == v
        and q[0] == k[0]
        and q[3] == k[3]
        and q[2] % max(k[2], 1) == 0
    )
    if not fits:
        raise ValueError(
            f"dot_product_attention: query, key and value of shapes {q}, {k} and {v} do not fit."
            f"{here()}\n  Wanted are (batch, T, N, H) for the query and (batch, S, K, H) for key "
            "and value, or all three without batch, with N a multiple of K."
        )


def _allowed(
    shape: tuple[int, int], is_causal: bool, window: Any, q_lengths: Any, kv_lengths: Any
) -> Any:
    """Mask of the (query, key) pairs that may meet, broadcastable to (B, 1, T, S); or None."""
    rows, cols = jnp.arange(shape[0])[:, None], jnp.arange(shape[1])[None, :]
    masks = []
    if is_causal:
        masks.append((rows >= cols)[None, None])
    if window is not None:
        left, right = (window, window) if isinstance(window, int) else window
        masks.append(((cols >= rows - left) & (cols <= rows + right))[None, None])
    if q_lengths is not None:
        masks.append((rows < jnp.asarray(q_lengths)[:, None, None])[:, None])
    if kv_lengths is not None:
        masks.append((cols < jnp.asarray(kv_lengths)[:, None, None])[:, None])
    if not masks:
        return None
    out = masks[0]
    for mask in masks[1:]:
        out = out & mask
    return out


def _by_group(x: Any, name: str, heads: int, groups: int) -> Array:
    """(B, N or 1, T, S) as (B, K, G, T, S) or with ones."""
    x = jnp.asarray(x)
    if x.aval.ndim == 3:
        x = x[None]
    if x.aval.ndim != 4 or x.aval.shape[1] not in (1, heads):
        raise ValueError(
            f"dot_product_attention: {name} must broadcast to (batch, heads, T, S), got shape "
            f"{x.aval.shape} for {heads} heads.{here()}"
        )
    b, n, t, s = x.aval.shape
    return x[:, :, None] if n == 1 else x.reshape(b, groups, heads // groups, t, s)  # type: ignore[no-any-return]


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths: Any = None,
    key_value_seq_lengths: Any = None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: str | None = None,
    return_residual: bool = False,
) -> Any:
    """Values averaged with softmax weights of query-key products.

    Args:
      query: shape (B, T, N, H) or (T, N, H).
      key, value: shape (B, S, K, H) or (S, K, H); each of the K heads serves N/K query heads.
      bias: added to the scaled products; broadcastable to (B, N, T, S).
      mask: boolean, which pairs may meet; broadcastable to (B, N, T, S).
      scale: factor of the products; ``1/sqrt(H)`` by default.
      is_causal: position t sees positions up to t only.
      query_seq_lengths, key_value_seq_lengths: int arrays (B,): how much of each sequence
        counts. Rows beyond a query's length come out as zeros.
      local_window_size: how far back and ahead a position sees, int or (left, right).
      implementation: accepted; there is one.
      return_residual: give also the logarithms of the softmax denominators, (B, T, N).

    Returns:
      Array of the query's shape, or (array, residual).

    Raises ValueError where shapes do not fit.

    Source: Vaswani et al., "Attention Is All You Need" (2017).

    >>> import adlib.numpy as jnp
    >>> from adlib import nn
    >>> x = jnp.ones((1, 3, 2, 4))
    >>> nn.dot_product_attention(x, x, x, is_causal=True).shape
    (1, 3, 2, 4)
    """
    q, k, v = jnp.asarray(query), jnp.asarray(key), jnp.asarray(value)
    single = q.aval.ndim == 3
    if single:
        q, k, v = q[None], k[None] if k.aval.ndim == 3 else k, v[None] if v.aval.ndim == 3 else v
    _check(q, k, v)
    batch, length, heads, width = q.aval.shape
    groups = k.aval.shape[2]
    factor = 1 / math.sqrt(width) if scale is None else scale
    grouped = q.reshape(batch, length, groups, heads // groups, width)
    scores = jnp.einsum("btkgh,bskh->bkgts", grouped, k).astype(np.float32) * factor
    if bias is not None:
        scores = scores + _by_group(bias, "bias", heads, groups).astype(scores.dtype)  # type: ignore[attr-defined]
    allowed = _allowed(
        (length, k.aval.shape[1]),
        is_causal,
        local_window_size,
        query_seq_lengths,
        key_value_seq_lengths,
    )
    if allowed is not None:
        allowed = allowed[:, :, None]
    if mask is not None:
        given = _by_group(mask, "mask", heads, groups)
        allowed = given if allowed is None else allowed & given
    if allowed is not None:
        # finite, so that a row without any allowed pair stays without NaN
        scores = jnp.where(allowed, scores, -0.7 * float(np.finfo(np.float32).max))
    weights = softmax(scores).astype(k.aval.dtype)  # type: ignore[attr-defined]
    out = jnp.einsum("bkgts,bskh->btkgh", weights, v).reshape(batch, length, heads, width)
    if query_seq_lengths is not None:
        beyond = jnp.arange(length)[None, :] < jnp.asarray(query_seq_lengths)[:, None]
        out = jnp.where(beyond[:, :, None, None], out, 0)
    out = out[0] if single else out
    if not return_residual:
        return out
    sums = logsumexp(scores, axis=-1).transpose(0, 3, 1, 2).reshape(batch, length, heads)
    return out, sums[0] if single else sums
