"""128 vector-Jacobian and Jacobian-vector products, one by one in a loop and under vmap."""

from __future__ import annotations

from ..case import Case, jax_forms
from .models import logistic, mlp, mlp_parameters, normal

PRODUCTS = 128


def covectors_inputs(rng):
    return normal(rng, 3), normal(rng, 1)[0], normal(rng, 4, 3), normal(rng, PRODUCTS, 4)


def vectors_inputs(rng):
    return normal(rng, 3), normal(rng, 1)[0], normal(rng, 4, 3), normal(rng, PRODUCTS, 3)


def mlp_inputs(rng):
    return mlp_parameters(rng, (64, 128, 128, 64)), normal(rng, 64), normal(rng, PRODUCTS, 64)


def predict(xp, bias, x):
    return lambda weights: logistic(xp, weights, bias, x)


# --- products with the Jacobian on the right: u ↦ uJ -------------------------------------------


def loop_vjp(jax, weights, bias, x, covectors):
    f = predict(jax.numpy, bias, x)

    def run():
        _, pull = jax.vjp(f, weights)
        return jax.numpy.vstack([pull(u)[0] for u in covectors])

    return run


def vmap_vjp(jax, weights, bias, x, covectors):
    f = predict(jax.numpy, bias, x)

    def run():
        _, pull = jax.vjp(f, weights)
        return jax.vmap(pull)(covectors)[0]

    return run


def autograd_loop_vjp(autograd, weights, bias, x, covectors):
    make_vjp = autograd.differential_operators.make_vjp(predict(autograd.numpy, bias, x))

    def run():
        pull, _ = make_vjp(weights)
        return autograd.numpy.vstack([pull(u) for u in covectors])

    return run


def torch_loop_vjp(torch, weights, bias, x, covectors):
    f = predict(torch, bias, x)
    weights = weights.requires_grad_()

    def run():
        y = f(weights)
        rows = [torch.autograd.grad(y, weights, u, retain_graph=True)[0] for u in covectors]
        return torch.vstack(rows)

    return run


def torch_func_loop_vjp(torch, weights, bias, x, covectors):
    f = predict(torch, bias, x)

    def run():
        _, pull = torch.func.vjp(f, weights)
        return torch.vstack([pull(u)[0] for u in covectors])

    return run


def torch_batched_vjp(torch, weights, bias, x, covectors):
    f = predict(torch, bias, x)
    weights = weights.requires_grad_()
    return lambda: torch.autograd.grad(f(weights), weights, covectors, is_grads_batched=True)[0]


def torch_vmap_vjp(torch, weights, bias, x, covectors):
    f = predict(torch, bias, x)

    def run():
        _, pull = torch.func.vjp(f, weights)
        return torch.func.vmap(pull)(covectors)[0]

    return run


# --- products with the Jacobian on the left: v ↦ Jv --------------------------------------------


def loop_jvp(jax, weights, bias, x, vectors):
    f = predict(jax.numpy, bias, x)
    return lambda: jax.numpy.vstack([jax.jvp(f, (weights,), (v,))[1] for v in vectors])


def vmap_jvp(jax, weights, bias, x, vectors):
    f = predict(jax.numpy, bias, x)
    push = jax.vmap(lambda v: jax.jvp(f, (weights,), (v,))[1])
    return lambda: push(vectors)


def autograd_loop_jvp(autograd, weights, bias, x, vectors):
    make_jvp = autograd.differential_operators.make_jvp(predict(autograd.numpy, bias, x))

    def run():
        push = make_jvp(weights)
        return autograd.numpy.vstack([push(v)[1] for v in vectors])

    return run


def torch_func_loop_jvp(torch, weights, bias, x, vectors):
    f = predict(torch, bias, x)
    return lambda: torch.vstack([torch.func.jvp(f, (weights,), (v,))[1] for v in vectors])


def torch_dual_loop_jvp(torch, weights, bias, x, vectors):
    f = predict(torch, bias, x)
    forward = torch.autograd.forward_ad

    def run():
        rows = []
        with torch.no_grad(), forward.dual_level():
            for v in vectors:
                out = f(forward.make_dual(weights, v))
                rows.append(forward.unpack_dual(out).tangent)
        return torch.vstack(rows)

    return run


def torch_vmap_jvp(torch, weights, bias, x, vectors):
    f = predict(torch, bias, x)
    push = torch.func.vmap(lambda v: torch.func.jvp(f, (weights,), (v,))[1])
    return lambda: push(vectors)


# --- an MLP's 64 × 64 Jacobian ------------------------------------------------------------------


def mlp_loop_vjp(jax, parameters, x, covectors):
    def run():
        _, pull = jax.vjp(lambda x: mlp(jax.numpy, parameters, x), x)
        return jax.numpy.vstack([pull(u)[0] for u in covectors])

    return run


def mlp_vmap_vjp(jax, parameters, x, covectors):
    def run():
        _, pull = jax.vjp(lambda x: mlp(jax.numpy, parameters, x), x)
        return jax.vmap(pull)(covectors)[0]

    return run


def autograd_mlp_loop_vjp(autograd, parameters, x, covectors):
    make_vjp = autograd.differential_operators.make_vjp(
        lambda x: mlp(autograd.numpy, parameters, x)
    )

    def run():
        pull, _ = make_vjp(x)
        return autograd.numpy.vstack([pull(u) for u in covectors])

    return run


def torch_mlp_loop_vjp(torch, parameters, x, covectors):
    x = x.requires_grad_()

    def run():
        y = mlp(torch, parameters, x)
        rows = [torch.autograd.grad(y, x, u, retain_graph=True)[0] for u in covectors]
        return torch.vstack(rows)

    return run


def torch_mlp_batched_vjp(torch, parameters, x, covectors):
    x = x.requires_grad_()

    def run():
        y = mlp(torch, parameters, x)
        return torch.autograd.grad(y, x, covectors, is_grads_batched=True)[0]

    return run


def torch_mlp_vmap_vjp(torch, parameters, x, covectors):
    def run():
        _, pull = torch.func.vjp(lambda x: mlp(torch, parameters, x), x)
        return torch.func.vmap(pull)(covectors)[0]

    return run


GROUP = "128 Jacobian products"

CASES = (
    Case(
        name="vjp_loop",
        group=GROUP,
        title="vector-Jacobian products of the cookbook's predictor, in a loop",
        inputs=covectors_inputs,
        forms={
            **jax_forms(loop_vjp),
            "autograd": (autograd_loop_vjp,),
            "torch": (torch_loop_vjp, torch_func_loop_vjp),
        },
    ),
    Case(
        name="vjp_vmap",
        group=GROUP,
        title="the same, vmapped",
        inputs=covectors_inputs,
        forms={**jax_forms(vmap_vjp), "torch": (torch_batched_vjp, torch_vmap_vjp)},
    ),
    Case(
        name="jvp_loop",
        group=GROUP,
        title="Jacobian-vector products of the cookbook's predictor, in a loop",
        inputs=vectors_inputs,
        forms={
            **jax_forms(loop_jvp),
            "autograd": (autograd_loop_jvp,),
            "torch": (torch_func_loop_jvp, torch_dual_loop_jvp),
        },
    ),
    Case(
        name="jvp_vmap",
        group=GROUP,
        title="the same, vmapped",
        inputs=vectors_inputs,
        forms={**jax_forms(vmap_jvp), "torch": (torch_vmap_jvp,)},
    ),
    Case(
        name="mlp_vjp_loop",
        group=GROUP,
        title="vector-Jacobian products of an MLP, 64-128-128-64, in a loop",
        inputs=mlp_inputs,
        forms={
            **jax_forms(mlp_loop_vjp),
            "autograd": (autograd_mlp_loop_vjp,),
            "torch": (torch_mlp_loop_vjp,),
        },
    ),
    Case(
        name="mlp_vjp_vmap",
        group=GROUP,
        title="the same, vmapped",
        inputs=mlp_inputs,
        forms={**jax_forms(mlp_vmap_vjp), "torch": (torch_mlp_batched_vjp, torch_mlp_vmap_vjp)},
    ),
)
