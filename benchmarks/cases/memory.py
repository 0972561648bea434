"""Memory of reverse mode, of rematerialization, and of whole Jacobians."""

from __future__ import annotations

import numpy as np

from ..case import Bar, Case, jax_forms
from .models import normal

LAYERS = 1000
MEGABYTE_OF_FLOAT32 = 250_000
JACOBIAN_SIZE = 2000
# Three levels of ten layers each: the sweep holds ten arrays per level.
BRANCHING = 10


def chain_inputs(rng):
    return (normal(rng, MEGABYTE_OF_FLOAT32), LAYERS)


def warm_chain_inputs(rng):
    return (normal(rng, 10), LAYERS // BRANCHING)


def biases_inputs(rng, size=MEGABYTE_OF_FLOAT32, depth=LAYERS):
    first = normal(rng, size)
    return normal(rng, size), [first * np.float32(i / depth) for i in range(depth)]


def warm_biases_inputs(rng):
    return biases_inputs(rng, 10, LAYERS // BRANCHING)


def jacobian_inputs(rng):
    n = JACOBIAN_SIZE
    return normal(rng, n, n, scale=n**-0.5), normal(rng, n)


def warm_jacobian_inputs(rng):
    # Large enough for BLAS to touch the buffers that it then keeps.
    return normal(rng, 512, 512, scale=0.05), normal(rng, 512)


# --- a chain of sines -----------------------------------------------------------------------------


def chain(xp, depth):
    def run(x):
        for _ in range(depth):
            x = xp.sin(x)
        return xp.sum(x)

    return run


def grad_chain(jax, x, depth):
    gradient = jax.grad(chain(jax.numpy, depth))
    return lambda: gradient(x)


def autograd_chain(autograd, x, depth):
    gradient = autograd.grad(chain(autograd.numpy, depth))
    return lambda: gradient(x)


def torch_chain(torch, x, depth):
    f = chain(torch, depth)
    x = x.requires_grad_()
    return lambda: torch.autograd.grad(f(x), x)[0]


# --- a chain whose gradient is as large as its residuals ---------------------------------------


def biased_chain(xp):
    def run(x, biases):
        for bias in biases:
            x = xp.sin(x + bias)
        return xp.sum(x)

    return run


def grad_biases(jax, x, biases):
    gradient = jax.grad(biased_chain(jax.numpy), argnums=1)
    return lambda: gradient(x, biases)


def autograd_biases(autograd, x, biases):
    gradient = autograd.grad(biased_chain(autograd.numpy), 1)
    return lambda: gradient(x, biases)


def torch_biases(torch, x, biases):
    f = biased_chain(torch)
    biases = [bias.requires_grad_() for bias in biases]
    return lambda: list(torch.autograd.grad(f(x, biases), biases))


# --- nested checkpoints -------------------------------------------------------------------------


def nested_chain(sin, checkpointed, depth):
    """``depth`` sines; every run of 10, 100, … of them is a checkpoint of its own."""

    def stretch(length):
        if length == 1:
            return sin
        inner = stretch(length // BRANCHING)

        def run(x):
            for _ in range(BRANCHING):
                x = inner(x)
            return x

        return checkpointed(run)

    return stretch(depth)


def grad_checkpointed(jax, x, depth):
    f = nested_chain(jax.numpy.sin, jax.checkpoint, depth)
    gradient = jax.grad(lambda x: jax.numpy.sum(f(x)))
    return lambda: gradient(x)


def autograd_checkpointed(autograd, x, depth):
    anp = autograd.numpy
    f = nested_chain(anp.sin, autograd.differential_operators.checkpoint, depth)
    gradient = autograd.grad(lambda x: anp.sum(f(x)))
    return lambda: gradient(x)


def torch_checkpointed(torch, x, depth):
    def checkpointed(run):
        return lambda x: torch.utils.checkpoint.checkpoint(run, x, use_reentrant=False)

    f = nested_chain(torch.sin, checkpointed, depth)
    x = x.requires_grad_()
    return lambda: torch.autograd.grad(torch.sum(f(x)), x)[0]


# --- whole Jacobians ------------------------------------------------------------------------------


def layer(xp, matrix):
    return lambda x: xp.tanh(matrix @ x)


def jacfwd(jax, matrix, x):
    jacobian = jax.jacfwd(layer(jax.numpy, matrix))
    return lambda: jacobian(x)


def jacrev(jax, matrix, x):
    jacobian = jax.jacrev(layer(jax.numpy, matrix))
    return lambda: jacobian(x)


def autograd_jacobian(autograd, matrix, x):
    jacobian = autograd.jacobian(layer(autograd.numpy, matrix))
    return lambda: jacobian(x)


def torch_jacfwd(torch, matrix, x):
    jacobian = torch.func.jacfwd(layer(torch, matrix))
    return lambda: jacobian(x)


def torch_jacrev(torch, matrix, x):
    jacobian = torch.func.jacrev(layer(torch, matrix))
    return lambda: jacobian(x)


JACOBIAN_MEGABYTES = 4 * JACOBIAN_SIZE**2 / 1e6

CASES = (
    Case(
        name="chain",
        group="Peak memory",
        title="gradient of a chain of 1,000 sines on 1 MB",
        inputs=chain_inputs,
        warm_inputs=warm_chain_inputs,
        forms={
            **jax_forms(grad_chain),
            "autograd": (autograd_chain,),
            "torch": (torch_chain,),
        },
        bars=(Bar("MB", 1200),),
    ),
    Case(
        name="chain_biases",
        group="Peak memory",
        title="the same in 1,000 biases of 1 MB: residuals must go as the gradient's 1 GB comes",
        inputs=biases_inputs,
        warm_inputs=warm_biases_inputs,
        forms={
            **jax_forms(grad_biases),
            "autograd": (autograd_biases,),
            "torch": (torch_biases,),
        },
        bars=(Bar("MB", 1200),),
    ),
    Case(
        name="chain_checkpoint",
        group="Peak memory",
        title="gradient of the chain, nested checkpoints of 10 × 10 × 10",
        inputs=chain_inputs,
        warm_inputs=warm_chain_inputs,
        forms={
            **jax_forms(grad_checkpointed),
            "autograd": (autograd_checkpointed,),
            "torch": (torch_checkpointed,),
        },
        bars=(Bar("MB", 120),),
    ),
    Case(
        name="jacfwd",
        group="Peak memory",
        title="jacfwd of tanh(A x), 2,000 × 2,000 (16 MB)",
        inputs=jacobian_inputs,
        warm_inputs=warm_jacobian_inputs,
        forms={**jax_forms(jacfwd), "torch": (torch_jacfwd,)},
        bars=(Bar("MB", 3 * JACOBIAN_MEGABYTES),),
    ),
    Case(
        name="jacrev",
        group="Peak memory",
        title="jacrev of the same (autograd: its jacobian, row by row)",
        inputs=jacobian_inputs,
        warm_inputs=warm_jacobian_inputs,
        forms={
            **jax_forms(jacrev),
            "autograd": (autograd_jacobian,),
            "torch": (torch_jacrev,),
        },
        bars=(Bar("MB", 3 * JACOBIAN_MEGABYTES),),
    ),
)
