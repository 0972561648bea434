"""Per-example gradients: the gradient of each example's own loss, for a whole batch."""

from __future__ import annotations

import numpy as np

from ..case import Case, jax_forms
from .models import logistic, mlp_parameters, mlp_squared_loss, normal

BATCH = 128


def mlp_inputs(rng):
    return mlp_parameters(rng, (16, 32, 4)), normal(rng, BATCH, 16), normal(rng, BATCH, 4)


def logistic_inputs(rng):
    targets = rng.integers(0, 2, BATCH).astype(np.float32)
    return normal(rng, 8, scale=0.3), normal(rng, BATCH, 8), targets


def logistic_loss(xp, weights, x, target):
    prediction = logistic(xp, weights, 0.5, x)
    return -xp.log(prediction * target + (1 - prediction) * (1 - target))


def mlp_vmap_grad(jax, parameters, x, y):
    gradient = jax.grad(lambda p, x, y: mlp_squared_loss(jax.numpy, p, x, y))
    return lambda: jax.vmap(gradient, (None, 0, 0))(parameters, x, y)


def autograd_mlp_loop(autograd, parameters, x, y):
    gradient = autograd.grad(lambda p, x, y: mlp_squared_loss(autograd.numpy, p, x, y))

    def run():
        examples = [gradient(parameters, xi, yi) for xi, yi in zip(x, y, strict=True)]
        return [
            tuple(np.stack(leaves) for leaves in zip(*layer, strict=True))
            for layer in zip(*examples, strict=True)
        ]

    return run


def torch_mlp_vmap_grad(torch, parameters, x, y):
    gradient = torch.func.grad(lambda p, x, y: mlp_squared_loss(torch, p, x, y))
    return lambda: torch.func.vmap(gradient, (None, 0, 0))(parameters, x, y)


def logistic_vmap_grad(jax, weights, x, targets):
    gradient = jax.grad(lambda w, x, t: logistic_loss(jax.numpy, w, x, t))
    return lambda: jax.vmap(gradient, (None, 0, 0))(weights, x, targets)


def autograd_logistic_loop(autograd, weights, x, targets):
    gradient = autograd.grad(lambda w, x, t: logistic_loss(autograd.numpy, w, x, t))
    return lambda: np.stack([gradient(weights, xi, ti) for xi, ti in zip(x, targets, strict=True)])


def torch_logistic_vmap_grad(torch, weights, x, targets):
    gradient = torch.func.grad(lambda w, x, t: logistic_loss(torch, w, x, t))
    return lambda: torch.func.vmap(gradient, (None, 0, 0))(weights, x, targets)


CASES = (
    Case(
        name="per_example_mlp",
        group="Per-example gradients",
        title="an MLP, 16-32-4, 128 examples, vmap of grad (autograd: a loop)",
        inputs=mlp_inputs,
        forms={
            **jax_forms(mlp_vmap_grad),
            "autograd": (autograd_mlp_loop,),
            "torch": (torch_mlp_vmap_grad,),
        },
    ),
    Case(
        name="per_example_logistic",
        group="Per-example gradients",
        title="logistic regression, 8 features, 128 examples, vmap of grad (autograd: a loop)",
        inputs=logistic_inputs,
        forms={
            **jax_forms(logistic_vmap_grad),
            "autograd": (autograd_logistic_loop,),
            "torch": (torch_logistic_vmap_grad,),
        },
    ),
)
