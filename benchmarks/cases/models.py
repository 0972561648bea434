"""Models and inputs that several cases share, written once over a library's array module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Float32 normal numbers."""
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def mlp_parameters(rng: np.random.Generator, sizes: Sequence[int]) -> list:
    """A list of (weights, biases), scaled so that activations stay of order one."""
    return [
        (normal(rng, n_in, n_out, scale=n_in**-0.5), normal(rng, n_out, scale=0.1))
        for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True)
    ]


def mlp(xp: Any, parameters: list, x: Any) -> Any:
    """A tanh network; ``xp`` is jax.numpy, adlib.numpy, autograd.numpy or torch."""
    for weights, biases in parameters[:-1]:
        x = xp.tanh(x @ weights + biases)
    weights, biases = parameters[-1]
    return x @ weights + biases


def mlp_squared_loss(xp: Any, parameters: list, x: Any, y: Any) -> Any:
    return xp.mean((mlp(xp, parameters, x) - y) ** 2)


def logistic(xp: Any, weights: Any, bias: Any, x: Any) -> Any:
    """Logistic regression, the sigmoid written through tanh as the autodiff cookbook does."""
    return 0.5 * (xp.tanh((x @ weights + bias) / 2) + 1)


def flat(parameters: list) -> list:
    """The arrays of an MLP's parameters in order, as torch.autograd.grad wants them."""
    return [leaf for layer in parameters for leaf in layer]


def layers(leaves: Sequence) -> list:
    """The inverse of :func:`flat`."""
    return list(zip(leaves[::2], leaves[1::2], strict=True))


def require_grad(parameters: list) -> list:
    """Torch parameters as leaves that record gradients."""
    return [tuple(leaf.clone().requires_grad_() for leaf in layer) for layer in parameters]
