"""Hessian-vector products, in the three compositions of the modes and on a parameter tree."""

from __future__ import annotations

from ..case import Case, jax_forms
from .models import flat, layers, mlp_parameters, mlp_squared_loss, normal, require_grad


def tanh_inputs(rng):
    return normal(rng, 30, 40), normal(rng, 30, 40)


def mlp_inputs(rng):
    sizes = (8, 32, 32, 4)
    return (
        mlp_parameters(rng, sizes),
        mlp_parameters(rng, sizes),
        normal(rng, 32, 8),
        normal(rng, 32, 4),
    )


def tanh_squared(xp):
    return lambda x: xp.sum(xp.tanh(x) ** 2)


# --- sum(tanh(x)**2) on a 30 × 40 matrix -----------------------------------------------------


def forward_over_reverse(jax, x, v):
    f = tanh_squared(jax.numpy)
    return lambda: jax.jvp(jax.grad(f), (x,), (v,))[1]


def reverse_over_forward(jax, x, v):
    f = tanh_squared(jax.numpy)
    return lambda: jax.grad(lambda x: jax.jvp(f, (x,), (v,))[1])(x)


def reverse_over_reverse(jax, x, v):
    f = tanh_squared(jax.numpy)
    return lambda: jax.grad(lambda x: jax.numpy.vdot(jax.grad(f)(x), v))(x)


def autograd_hessian_vector_product(autograd, x, v):
    product = autograd.hessian_vector_product(tanh_squared(autograd.numpy))
    return lambda: product(x, v)


def autograd_forward_over_reverse(autograd, x, v):
    push = autograd.differential_operators.make_jvp(autograd.grad(tanh_squared(autograd.numpy)))
    return lambda: push(x)(v)[1]


def autograd_reverse_over_forward(autograd, x, v):
    push = autograd.differential_operators.make_jvp(tanh_squared(autograd.numpy))
    pull = autograd.grad(lambda x: push(x)(v)[1])
    return lambda: pull(x)


def torch_double_backward(torch, x, v):
    f = tanh_squared(torch)
    x = x.requires_grad_()

    def run():
        (gradient,) = torch.autograd.grad(f(x), x, create_graph=True)
        return torch.autograd.grad(gradient, x, v)[0]

    return run


def torch_func_forward_over_reverse(torch, x, v):
    gradient = torch.func.grad(tanh_squared(torch))
    return lambda: torch.func.jvp(gradient, (x,), (v,))[1]


def torch_func_reverse_over_reverse(torch, x, v):
    gradient = torch.func.grad(tanh_squared(torch))
    product = torch.func.grad(lambda x: torch.sum(gradient(x) * v))
    return lambda: product(x)


def torch_func_reverse_over_forward(torch, x, v):
    f = tanh_squared(torch)
    product = torch.func.grad(lambda x: torch.func.jvp(f, (x,), (v,))[1])
    return lambda: product(x)


# --- an MLP's loss, in all its parameters -----------------------------------------------------


def mlp_forward_over_reverse(jax, parameters, vector, x, y):
    gradient = jax.grad(lambda p: mlp_squared_loss(jax.numpy, p, x, y))
    return lambda: jax.jvp(gradient, (parameters,), (vector,))[1]


def autograd_mlp_hessian_vector_product(autograd, parameters, vector, x, y):
    # autograd contracts arrays only, so the sum over the tree's leaves is written out.
    anp = autograd.numpy
    gradient = autograd.grad(lambda p: mlp_squared_loss(anp, p, x, y))

    def contracted(p):
        pairs = zip(flat(gradient(p)), flat(vector), strict=True)
        return sum(anp.sum(g * v) for g, v in pairs)

    product = autograd.grad(contracted)
    return lambda: product(parameters)


def torch_mlp_double_backward(torch, parameters, vector, x, y):
    parameters = require_grad(parameters)
    leaves, directions = flat(parameters), flat(vector)

    def run():
        loss = mlp_squared_loss(torch, parameters, x, y)
        gradient = torch.autograd.grad(loss, leaves, create_graph=True)
        return layers(torch.autograd.grad(gradient, leaves, directions))

    return run


def torch_func_mlp_forward_over_reverse(torch, parameters, vector, x, y):
    gradient = torch.func.grad(lambda p: mlp_squared_loss(torch, p, x, y))
    return lambda: torch.func.jvp(gradient, (parameters,), (vector,))[1]


CASES = (
    Case(
        name="hvp_forward_over_reverse",
        group="Hessian-vector product",
        title="sum(tanh(x)²), 30 × 40, forward over reverse (peers: their fastest way)",
        inputs=tanh_inputs,
        forms={
            **jax_forms(forward_over_reverse),
            "autograd": (autograd_hessian_vector_product, autograd_forward_over_reverse),
            "torch": (torch_double_backward, torch_func_forward_over_reverse),
        },
    ),
    Case(
        name="hvp_reverse_over_forward",
        group="Hessian-vector product",
        title="the same, reverse over forward in every library",
        inputs=tanh_inputs,
        forms={
            **jax_forms(reverse_over_forward),
            "autograd": (autograd_reverse_over_forward,),
            "torch": (torch_func_reverse_over_forward,),
        },
    ),
    Case(
        name="hvp_reverse_over_reverse",
        group="Hessian-vector product",
        title="the same, reverse over reverse in every library",
        inputs=tanh_inputs,
        forms={
            **jax_forms(reverse_over_reverse),
            "autograd": (autograd_hessian_vector_product,),
            "torch": (torch_double_backward, torch_func_reverse_over_reverse),
        },
    ),
    Case(
        name="hvp_mlp",
        group="Hessian-vector product",
        title="an MLP's squared loss in all parameters, 8-32-32-4, batch 32",
        inputs=mlp_inputs,
        forms={
            **jax_forms(mlp_forward_over_reverse),
            "autograd": (autograd_mlp_hessian_vector_product,),
            "torch": (torch_mlp_double_backward, torch_func_mlp_forward_over_reverse),
        },
    ),
)
