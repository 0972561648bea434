"""Jitted programs: what a compiler makes of gradients, Jacobians, loops and plain arithmetic.

adlib and JAX run the same text. PyTorch stands beside them, uncompiled and through
``torch.compile`` where that takes the program, for the cases that it can write as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..case import Bar, Case, jax_forms
from .models import mlp_parameters, mlp_squared_loss, normal

GROUP = "Compiled"
BARS = (Bar("jax", 1.0),)


def jitted(build: Any) -> Any:
    """A form of a function of (jax, *arrays), compiled for these arrays."""

    def form(jax, *inputs):
        function = jax.jit(build(jax))
        return lambda: function(*inputs)

    return form


# --- least squares -------------------------------------------------------------------------


def squares_inputs(rng):
    return normal(rng, 500, 500, scale=0.05), normal(rng, 500), normal(rng, 500)


def residual_square(xp):
    return lambda a, b, x: xp.sum((a @ x - b) ** 2)


def squares_gradient(jax):
    return jax.grad(residual_square(jax.numpy), argnums=2)


def squares_hessian(jax):
    return jax.hessian(residual_square(jax.numpy), argnums=2)


def squares_jacfwd(jax):
    return jax.jacfwd(residual_square(jax.numpy), argnums=2)


# --- a softmax layer -------------------------------------------------------------------------


def softmax_inputs(rng):
    return normal(rng, 300, 300, scale=0.1), normal(rng, 300)


def softmax_layer(jax):
    return lambda w, x: jax.nn.softmax(w @ x)


def softmax_forward(jax):
    return jax.jacfwd(softmax_layer(jax), argnums=1)


def softmax_reverse(jax):
    return jax.jacrev(softmax_layer(jax), argnums=1)


# --- Hessian-vector products, per-example gradients, high derivatives -----------------------


def tanh_square_inputs(rng):
    return normal(rng, 30, 40), normal(rng, 30, 40)


def tanh_square_product(jax):
    f = lambda x: jax.numpy.sum(jax.numpy.tanh(x) ** 2)  # noqa: E731
    return lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1]


def temporal_inputs(rng):
    return normal(rng, 2), normal(rng, 8, 2), normal(rng, 8), normal(rng, 8, 2)


def temporal_differences(jax):
    def loss(theta, s, r, s_next):
        value = lambda s: theta @ s  # noqa: E731
        target = jax.lax.stop_gradient(r + value(s_next))
        return (target - value(s)) ** 2

    return jax.vmap(jax.grad(loss), in_axes=(None, 0, 0, 0))


def points(rng):
    return (np.linspace(-3, 3, 200, dtype=np.float32),)


def fourth_of_tanh(jax):
    f = jax.numpy.tanh
    for _ in range(4):
        f = jax.grad(f)
    return jax.vmap(f)


# --- arithmetic on large arrays ------------------------------------------------------------


def image(rng):
    return (normal(rng, 2000, 2000),)


def polynomial(jax):
    return lambda x: x * x + 2 * x


def torch_polynomial(torch, x):
    return lambda: x * x + 2 * x


def torch_compiled_polynomial(torch, x):
    function = torch.compile(lambda x: x * x + 2 * x)
    return lambda: function(x)


def long_vector(rng):
    return (normal(rng, 2**20),)


def chain(xp):
    return lambda y: xp.sum(xp.log1p(xp.exp(xp.sin(y) * xp.tanh(y))) * xp.cos(y))


def torch_chain(torch, y):
    return lambda: chain(torch)(y)


def torch_compiled_chain(torch, y):
    function = torch.compile(chain(torch))
    return lambda: function(y)


def chain_value(jax):
    return chain(jax.numpy)


def chain_gradient(jax):
    return jax.grad(chain(jax.numpy))


# --- networks and loops ---------------------------------------------------------------------


def network_inputs(sizes, batch):
    def inputs(rng):
        return (
            mlp_parameters(rng, sizes),
            normal(rng, batch, sizes[0]),
            normal(rng, batch, sizes[-1]),
        )

    return inputs


def training_step(jax):
    def step(parameters, x, y):
        slopes = jax.grad(lambda p: mlp_squared_loss(jax.numpy, p, x, y))(parameters)
        return jax.tree_util.tree_map(lambda p, g: p - 0.1 * g, parameters, slopes)

    return step


def recurrent_inputs(rng):
    return normal(rng, 32, 32, scale=0.2), normal(rng, 32), normal(rng, 200, 32)


def recurrent(jax):
    def loss(w, h, xs):
        def step(h, x):
            h = jax.numpy.tanh(w @ h + x)
            return h, h

        return jax.numpy.sum(jax.lax.scan(step, h, xs)[1] ** 2)

    return loss


def recurrent_gradient(jax):
    return jax.grad(recurrent(jax))


def starts(rng):
    return (np.linspace(1, 4, 64, dtype=np.float32),)


def newton(jax):
    def root(a):
        def going(state):
            x, last = state
            return jax.numpy.abs(x - last) > 1e-5

        def step(state):
            x, _ = state
            return (x + a / x) / 2, x

        return jax.lax.while_loop(going, step, (a, a + 1))[0]

    return jax.vmap(root)


def process_inputs(rng):
    x = np.sort(rng.uniform(0, 5, 100)).astype(np.float32)
    return np.array([0.0, 0.1, -1.0], np.float32), x, np.sin(x).astype(np.float32)


def gaussian_process(jax):
    jnp = jax.numpy

    def loss(theta, x, y):
        length, scale, noise = jnp.exp(theta)
        square = (x[:, None] - x[None, :]) ** 2
        k = scale * jnp.exp(-square / (2 * length**2)) + noise * jnp.eye(len(x))
        factor = jnp.linalg.cholesky(k)
        white = jax.scipy.linalg.solve_triangular(factor, y, lower=True)
        return jnp.sum(white**2) / 2 + jnp.sum(jnp.log(jnp.diag(factor)))

    return jax.grad(loss)


def case(name: str, title: str, inputs: Any, build: Any, torch: Any = (), **options: Any) -> Case:
    forms = {**jax_forms(jitted(build)), **({"torch": torch} if torch else {})}
    return Case(
        name=name, group=GROUP, title=title, inputs=inputs, forms=forms, bars=BARS, **options
    )


CASES = (
    case("jit_squares_gradient", "|Ax − b|², n = 500: gradient", squares_inputs, squares_gradient),
    case("jit_squares_hessian", "the same: Hessian", squares_inputs, squares_hessian),
    case("jit_squares_jacfwd", "the same: its jacfwd", squares_inputs, squares_jacfwd),
    case("jit_softmax_jacfwd", "softmax(Wx), 300 × 300: jacfwd", softmax_inputs, softmax_forward),
    case("jit_softmax_jacrev", "the same: jacrev", softmax_inputs, softmax_reverse),
    case("jit_hvp", "sum(tanh(x)²), 30 × 40: HVP", tanh_square_inputs, tanh_square_product),
    case("jit_temporal", "TD gradients of 8 examples", temporal_inputs, temporal_differences),
    case("jit_fourth", "fourth derivative of tanh, 200 points", points, fourth_of_tanh, rtol=1e-2),
    case(
        "jit_polynomial",
        "x·x + 2x, 2000 × 2000",
        image,
        polynomial,
        (torch_polynomial, torch_compiled_polynomial),
    ),
    case(
        "jit_chain",
        "Σ log1p(exp(sin y·tanh y))·cos y, 2²⁰",
        long_vector,
        chain_value,
        (torch_chain, torch_compiled_chain),
    ),
    case("jit_chain_gradient", "the same: gradient", long_vector, chain_gradient),
    case(
        "jit_step",
        "training step, 784-512-512-10, batch 128",
        network_inputs((784, 512, 512, 10), 128),
        training_step,
    ),
    case(
        "jit_small_step",
        "training step, 8-32-32-4, batch 32",
        network_inputs((8, 32, 32, 4), 32),
        training_step,
    ),
    case("jit_recurrent", "200 tanh steps through scan", recurrent_inputs, recurrent),
    case("jit_recurrent_gradient", "the same: gradient", recurrent_inputs, recurrent_gradient),
    case("jit_newton", "Newton by while_loop, 64 at once", starts, newton),
    case("jit_process", "Gaussian process, 100 points: gradient", process_inputs, gaussian_process),
)
