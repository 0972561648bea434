"""Jitted passes over large arrays, held against the rate of a copy.

``bytes`` is what a run must read and write at least: its inputs once, its results once. A pass that
has to read an input twice, as the variance of columns after their mean, cannot reach the whole
rate; neither can one whose arithmetic takes longer, as the exponentials of a softmax.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import FASTEST, Bar, Case, jax_forms
from .compiled import jitted
from .models import normal

GROUP = "Memory-bound"
BARS = (Bar("jax", 1.0), Bar(FASTEST, 1.0), Bar("bytes", 0.8))
N = 3000
MATRIX = 4 * N * N  # bytes


def matrix(rng):
    return (normal(rng, N, N),)


def two_matrices(rng):
    return normal(rng, N, N), normal(rng, N, N)


def with_vector(rng):
    return normal(rng, N, N), normal(rng, N)


def with_places(rng):
    return normal(rng, N, N), rng.integers(0, N, N).astype(np.float32)


def long_vector(rng):
    return (normal(rng, N * N, scale=1e-3),)


def narrow(rng):
    return (normal(rng, 10**6, 8),)


def layer(rng):
    return normal(rng, N, N), normal(rng, N), normal(rng, N)


def labels(rng):
    return (rng.integers(0, 100, 100_000).astype(np.float32),)


def layer_norm(jax):
    def f(x, scale, shift):
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt(variance + 1e-5) * scale + shift

    return f


def batch_statistics(jax):
    return lambda x: (x.mean(0), x.var(0))


def from_both_sides(jax):
    """The gradient of a least-squares loss."""
    return lambda a, x: (a @ x) @ a


def eager(build: Any) -> Any:
    """A form of a function of (torch, *tensors)."""

    def form(torch, *inputs):
        function = build(torch)
        return lambda: function(*inputs)

    return form


# What PyTorch runs, by the names of the cases.
TORCH = {
    "add": lambda torch: lambda x: x + 1,
    "softmax": lambda torch: lambda x: torch.softmax(x, 1),
    "softmax_columns": lambda torch: lambda x: torch.softmax(x, 0),
    "logsumexp": lambda torch: lambda x: torch.logsumexp(x, 1),
    "layer_norm": lambda torch: lambda x, a, b: torch.layer_norm(x, (N,), a, b, 1e-5),
    "rows": lambda torch: lambda x: x.sum(1),
    "columns": lambda torch: lambda x: x.sum(0),
    "narrow": lambda torch: lambda x: x.sum(0),
    "statistics": lambda torch: lambda x: (x.mean(0), x.var(0, correction=0)),
    "largest": lambda torch: lambda x: x.amax(0),
    "argmax": lambda torch: lambda x: x.argmax(1),
    "both_sides": lambda torch: lambda a, x: (a @ x) @ a,
    "cumsum": lambda torch: lambda x: x.cumsum(0),
    "cumsum_rows": lambda torch: lambda x: x.cumsum(1),
    "transpose": lambda torch: lambda x: (x.T + 1).contiguous(),
    "concatenate": lambda torch: lambda x, y: torch.cat([x, y], 1),
    "pad": lambda torch: lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1)),
    "gather": lambda torch: lambda x, i: x.index_select(0, i.int()),
    "one_hot": lambda torch: lambda i: torch.nn.functional.one_hot(i.long(), 100).float(),
}


def case(name: str, title: str, inputs: Any, build: Any, bytes_: int, **options: Any) -> Case:
    title = f"{title}, {N} × {N}" if inputs in (matrix, two_matrices) else title
    forms = {**jax_forms(jitted(build)), "torch": (eager(TORCH[name]),)}
    return Case(f"pass_{name}", GROUP, title, inputs, forms, BARS, bytes=bytes_, **options)


CASES = (
    case("add", "x + 1", matrix, lambda jax: lambda x: x + 1, 2 * MATRIX),
    case("softmax", "softmax of rows", matrix, lambda jax: jax.nn.softmax, 2 * MATRIX),
    case(
        "softmax_columns",
        "softmax of columns",
        matrix,
        lambda jax: lambda x: jax.nn.softmax(x, 0),
        2 * MATRIX,
    ),
    case(
        "logsumexp",
        "log Σ exp of rows",
        matrix,
        lambda jax: lambda x: jax.nn.logsumexp(x, 1),
        MATRIX,
    ),
    case("layer_norm", "layer normalisation, 3000 × 3000", layer, layer_norm, 2 * MATRIX),
    case("rows", "sums of rows", matrix, lambda jax: lambda x: x.sum(1), MATRIX),
    case("columns", "sums of columns", matrix, lambda jax: lambda x: x.sum(0), MATRIX),
    case("narrow", "sums of columns, 10⁶ × 8", narrow, lambda jax: lambda x: x.sum(0), 32 * 10**6),
    case("statistics", "mean and variance of columns", matrix, batch_statistics, MATRIX),
    case("largest", "largest of columns", matrix, lambda jax: lambda x: x.max(0), MATRIX),
    case("argmax", "argmax of rows", matrix, lambda jax: lambda x: x.argmax(1), MATRIX),
    case("both_sides", "Aᵀ(Ax), n = 3000", with_vector, from_both_sides, MATRIX, rtol=1e-2),
    case(
        "cumsum",
        "running sum of 9·10⁶ numbers",
        long_vector,
        lambda jax: jax.numpy.cumsum,
        2 * MATRIX,
        atol=1e-2,
    ),
    case(
        "cumsum_rows",
        "running sums of rows",
        matrix,
        lambda jax: lambda x: jax.numpy.cumsum(x, 1),
        2 * MATRIX,
    ),
    case("transpose", "x.T + 1", matrix, lambda jax: lambda x: x.T + 1, 2 * MATRIX),
    case(
        "concatenate",
        "two matrices side by side",
        two_matrices,
        lambda jax: lambda x, y: jax.numpy.concatenate([x, y], 1),
        4 * MATRIX,
    ),
    case(
        "pad",
        "a matrix with a margin",
        matrix,
        lambda jax: lambda x: jax.numpy.pad(x, 1),
        2 * MATRIX,
    ),
    case(
        "gather",
        "3000 rows of 3000",
        with_places,
        lambda jax: lambda x, i: x[i.astype(int)],
        2 * MATRIX,
    ),
    case(
        "one_hot",
        "100,000 labels of 100",
        labels,
        lambda jax: lambda i: jax.nn.one_hot(i.astype(int), 100),
        4 * 10**7,
    ),
)
