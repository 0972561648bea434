"""Jitted programs: what a compiler makes of gradients, Jacobians, loops and plain arithmetic.

adlib and JAX run the same text; what the other libraries run is in ``compiled_peers.py``.
``flops`` and ``bytes`` are the least that a run of the case needs: operations of the matrix
products in it, or memory that must be read and written once.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ..case import FASTEST, Bar, Case, jax_forms
from .compiled_peers import FORMS, chain, residual_square
from .models import mlp_parameters, mlp_squared_loss, normal

GROUP = "Compiled"
BARS = (Bar("jax", 1.0), Bar(FASTEST, 1.0))
# Next to nothing to compute: what is timed is the way to it.
DISPATCH = (Bar("jax", 0.3), Bar(FASTEST, 1.0))


def jitted(build: Any) -> Any:
    """A form of a function of (jax, *arrays), compiled for these arrays."""

    def form(jax, *inputs):
        function = jax.jit(build(jax))
        return lambda: function(*inputs)

    return form


# --- least squares -------------------------------------------------------------------------

N = 1000


def squares_inputs(rng):
    return 0.05 * rng.standard_normal((N, N)), rng.standard_normal(N), rng.standard_normal(N)


def squares_gradient(jax):
    return jax.grad(residual_square(jax.numpy), argnums=2)


def squares_hessian(jax):
    return jax.hessian(residual_square(jax.numpy), argnums=2)


def squares_jacrev_twice(jax):
    return jax.jacrev(jax.jacrev(residual_square(jax.numpy), argnums=2), argnums=2)


def squares_jacfwd(jax):
    return jax.jacfwd(residual_square(jax.numpy), argnums=2)


def squares_jacrev(jax):
    return jax.jacrev(residual_square(jax.numpy), argnums=2)


def product_inputs(rng):
    return normal(rng, 3000, 3000, scale=0.02), *(normal(rng, 3000) for _ in range(3))


def squares_product(jax):
    gradient = jax.grad(residual_square(jax.numpy), argnums=2)
    return lambda a, b, x, v: jax.jvp(lambda x: gradient(a, b, x), (x,), (v,))[1]


# --- a softmax layer -------------------------------------------------------------------------


def softmax_inputs(rng):
    return normal(rng, N, N, scale=0.1), normal(rng, N)


def tall_inputs(rng):
    return normal(rng, N, 10, scale=0.3), normal(rng, 10)


def softmax_layer(jax):
    return lambda w, x: jax.nn.softmax(w @ x)


def softmax_forward(jax):
    return jax.jacfwd(softmax_layer(jax), argnums=1)


def softmax_reverse(jax):
    return jax.jacrev(softmax_layer(jax), argnums=1)


# --- Hessian-vector products, per-example gradients, high derivatives -----------------------


def tanh_square_inputs(rng):
    return normal(rng, 30, 40), normal(rng, 30, 40)


def tanh_square(jax):
    return lambda x: jax.numpy.sum(jax.numpy.tanh(x) ** 2)


def tanh_square_product(jax):
    gradient = jax.grad(tanh_square(jax))
    return lambda x, v: jax.jvp(gradient, (x,), (v,))[1]


def tanh_square_hessian(jax):
    hessian = jax.hessian(tanh_square(jax))
    return lambda x, v: jax.numpy.tensordot(hessian(x), v, 2)


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
    return (normal(rng, 5000, 5000),)


def polynomial(jax):
    return lambda x: x * x + 2 * x


def long_vector(rng):
    return (normal(rng, 2**20),)


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


def convolution_inputs(rng):
    """Parameters of the layers that have some, images, one-hot labels."""
    shapes = ((3, 3, 1, 32), (3, 3, 32, 64), (27 * 27 * 64, 128), (128, 10))
    parameters = []
    for shape in shapes:
        bias = (1, 1, 1, shape[-1]) if len(shape) == 4 else shape[-1:]
        scale = np.prod(shape[:-1]) ** -0.5
        parameters.append((normal(rng, *shape, scale=scale), normal(rng, *bias, scale=0.1)))
    labels = np.eye(10, dtype=np.float32)[rng.integers(0, 10, 128)]
    return parameters, normal(rng, 128, 28, 28, 1), labels


def stax_network(jax):
    """The convolutional network of stax's introduction, as a function of (parameters, images)."""
    stax = importlib.import_module(f"{jax.__name__}.example_libraries.stax")
    layers = (
        *(stax.Conv(32, (3, 3), padding="SAME"), stax.Relu),
        *(stax.Conv(64, (3, 3), padding="SAME"), stax.Relu),
        *(stax.MaxPool((2, 2)), stax.Flatten),
        *(stax.Dense(128), stax.Relu, stax.Dense(10), stax.LogSoftmax),
    )
    _, apply = stax.serial(*layers)

    def network(parameters, x):
        first, second, third, last = parameters
        return apply([first, (), second, (), (), (), third, (), last, ()], x)

    return network


def convolution(jax):
    network = stax_network(jax)
    return lambda parameters, x, labels: network(parameters, x)


def convolution_gradient(jax):
    network, jnp = stax_network(jax), jax.numpy

    def loss(parameters, x, labels):
        return -jnp.mean(jnp.sum(network(parameters, x) * labels, axis=1))

    return jax.grad(loss)


def recurrent_inputs(rng):
    return normal(rng, 128, 128, scale=0.1), normal(rng, 128), normal(rng, 200, 128)


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


def populations(rng):
    return (np.linspace(0.1, 0.2, 16, dtype=np.float32),)


def counted(jax):
    return lambda x: jax.lax.fori_loop(0, 1000, lambda _, x: x + 0.01 * (1 - x * x), x)


# --- factorizations -------------------------------------------------------------------------


def hermitian(rng):
    z = rng.standard_normal((3, 3)) + 1j * rng.standard_normal((3, 3))
    return ((z @ z.conj().T + 3 * np.eye(3)).astype(np.complex64),)


def complex_cholesky(jax):
    def f(a):
        factor = jax.numpy.linalg.cholesky(a)
        return jax.numpy.sum((factor - jax.numpy.sin(factor)) ** 2)

    return jax.grad(f, holomorphic=True)


def process_inputs(rng):
    x = np.sort(rng.uniform(0, 5, 200)).astype(np.float32)
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


def case(name: str, title: str, inputs: Any, build: Any, **options: Any) -> Case:
    forms = {**jax_forms(jitted(build)), **FORMS.get(name, {})}
    options = {"bars": BARS, **options}
    return Case(name=name, group=GROUP, title=title, inputs=inputs, forms=forms, **options)


def squares(name: str, title: str, build: Any, **options: Any) -> Case:
    """A case of |Ax − b|² in float64."""
    title = f"|Ax − b|², n = 1000, float64: {title}"
    return case(name, title, squares_inputs, build, x64=True, **options)


MATRIX64, MATRIX32 = 8 * N * N, 4 * N * N  # bytes
MLP = (784, 512, 512, 10)
STEP_FLOPS = 2 * 128 * sum(a * b for a, b in zip(MLP, MLP[1:], strict=False))
FILTER_FLOPS = 2 * 128 * (28 * 28 * 9 * (32 + 32 * 64) + 27 * 27 * 64 * 128 + 128 * 10)

CASES = (
    squares("jit_squares_gradient", "gradient", squares_gradient, bytes=MATRIX64),
    squares("jit_squares_hessian", "Hessian", squares_hessian, flops=2 * N**3),
    squares("jit_squares_jacrev_twice", "jacrev of jacrev", squares_jacrev_twice, flops=2 * N**3),
    squares("jit_squares_jacfwd", "jacfwd", squares_jacfwd, bytes=MATRIX64),
    squares("jit_squares_jacrev", "jacrev", squares_jacrev, bytes=MATRIX64),
    case(
        "jit_squares_hvp",
        "|Ax − b|², n = 3000: HVP",
        product_inputs,
        squares_product,
        bytes=4 * 3000**2,
    ),
    case(
        "jit_softmax_jacfwd",
        "softmax(Wx), 1000 × 1000: jacfwd",
        softmax_inputs,
        softmax_forward,
        bytes=2 * MATRIX32,
    ),
    case(
        "jit_softmax_jacrev",
        "the same: jacrev",
        softmax_inputs,
        softmax_reverse,
        bytes=2 * MATRIX32,
    ),
    case("jit_tall_jacfwd", "softmax(Wx), 1000 × 10: jacfwd", tall_inputs, softmax_forward),
    case("jit_tall_jacrev", "the same: jacrev", tall_inputs, softmax_reverse),
    case(
        "jit_hvp",
        "sum(tanh(x)²), 30 × 40: HVP",
        tanh_square_inputs,
        tanh_square_product,
        bars=DISPATCH,
    ),
    case(
        "jit_hvp_by_hessian",
        "the same, by the full Hessian",
        tanh_square_inputs,
        tanh_square_hessian,
    ),
    case(
        "jit_temporal",
        "TD gradients of 8 examples",
        temporal_inputs,
        temporal_differences,
        bars=DISPATCH,
    ),
    case(
        "jit_fourth",
        "fourth derivative of tanh, 200 points",
        points,
        fourth_of_tanh,
        rtol=1e-2,
        bars=DISPATCH,
    ),
    case("jit_polynomial", "x·x + 2x, 5000 × 5000", image, polynomial, bytes=8 * 5000**2),
    case("jit_chain", "Σ log1p(exp(sin y·tanh y))·cos y, 2²⁰", long_vector, chain_value),
    case("jit_chain_gradient", "the same: gradient", long_vector, chain_gradient),
    case(
        "jit_step",
        "training step, 784-512-512-10, batch 128",
        network_inputs(MLP, 128),
        training_step,
        # forward, for the parameters, and for all inputs but the first layer's
        flops=3 * STEP_FLOPS - 2 * 128 * 784 * 512,
    ),
    case(
        "jit_small_step",
        "training step, 8-32-32-4, batch 32",
        network_inputs((8, 32, 32, 4), 32),
        training_step,
    ),
    case(
        "jit_convolution",
        "stax's convolutional net, 28 × 28, batch 128: forward",
        convolution_inputs,
        convolution,
        flops=FILTER_FLOPS,
    ),
    case(
        "jit_convolution_gradient",
        "the same: gradient",
        convolution_inputs,
        convolution_gradient,
        flops=3 * FILTER_FLOPS,
        rtol=1e-2,
    ),
    case("jit_recurrent", "200 tanh steps of 128 through scan", recurrent_inputs, recurrent),
    case("jit_recurrent_gradient", "the same: gradient", recurrent_inputs, recurrent_gradient),
    case("jit_newton", "Newton by while_loop, 64 at once", starts, newton, bars=DISPATCH),
    case("jit_counted", "1,000 rounds of fori_loop, 16 numbers", populations, counted),
    case(
        "jit_cholesky",
        "complex Cholesky factor, 3 × 3: gradient",
        hermitian,
        complex_cholesky,
        bars=DISPATCH,
    ),
    case(
        "jit_process",
        "Gaussian process, 200 points: gradient",
        process_inputs,
        gaussian_process,
        rtol=1e-2,
    ),
)
