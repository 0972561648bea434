"""What ``python -m benchmarks.gpu`` measures: programs at the sizes that a GPU is bought for.

adlib and JAX run the same jitted text. CuPy's forms are what a user writes by hand who has no
derivatives: with the array module, and fused by ``cupy.fuse`` where that can. All numbers are
float32, and products of matrices are of whole float32 numbers in every library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..case import Bar, Case, jax_forms
from .compiled import (
    chain_gradient,
    chain_value,
    convolution_gradient,
    jitted,
    polynomial,
    recurrent,
    recurrent_gradient,
    softmax_forward,
    softmax_reverse,
    squares_product,
    tanh_square,
    training_step,
)
from .compiled_peers import (
    chain,
    torch_chain_gradient,
    torch_chain_tape,
    torch_convolution_gradient,
    torch_function,
    torch_network,
    torch_polynomial,
    torch_recurrent,
    torch_recurrent_gradient,
    torch_softmax,
    torch_squares_product,
    torch_step,
    torch_step_tape,
)
from .models import mlp_parameters, mlp_squared_loss

GROUP = "GPU"
COPY = Bar("bytes", 0.85)
BLAS = Bar("flops", 0.9)
# A product that reads its matrix: as fast as cuBLAS called by hand, but for a tenth.
BY_HAND = Bar("cupy", 1 / 0.9)


@dataclass(frozen=True)
class Sizes:
    """How large the cases are; tests make small ones.

    Attributes:
      image, vector, softmax, squares: entries along an axis.
      mlp, mlp_batch, small_mlp, small_batch: widths and examples of two training steps.
      images, pixels: of the convolutional network.
      examples, example_mlp: of the per-example gradients.
      state, steps: of the recurrent network.
    """

    image: int = 5000
    vector: int = 2**26
    softmax: int = 4096
    squares: int = 20_000
    mlp: tuple[int, ...] = (1024, 4096, 4096, 1024)
    mlp_batch: int = 4096
    small_mlp: tuple[int, ...] = (784, 512, 512, 10)
    small_batch: int = 128
    images: int = 128
    pixels: int = 28
    examples: int = 1024
    example_mlp: tuple[int, ...] = (256, 256, 10)
    state: int = 512
    steps: int = 200


# To try the command and the programs out.
SMALL = Sizes(
    image=8, vector=64, softmax=6, squares=7, mlp=(5, 6, 4), mlp_batch=3, small_mlp=(4, 3),
    small_batch=2, images=2, pixels=6, examples=3, example_mlp=(4, 3, 2), state=5, steps=4,
)  # fmt: skip


def numbers(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Float32 normal numbers, without a float64 array of the same shape on the way."""
    found = rng.standard_normal(shape, dtype=np.float32)
    found *= np.float32(scale)
    return found


# --- by hand, with CuPy ----------------------------------------------------------------------


def cupy_function(build: Any, fused: Any = None) -> tuple:
    """The forms of a function of (cupy, *arrays): as it is, and another one through ``fuse``."""

    def by_hand(cupy, *inputs):
        function = build(cupy)
        return lambda: function(*inputs)

    def fuse(cupy, *inputs):
        function = fused(cupy)
        return lambda: function(*inputs)

    return (by_hand,) if fused is None else (by_hand, fuse)


def cupy_polynomial(cupy):
    return lambda x: x * x + 2 * x


def fused_polynomial(cupy):
    return cupy.fuse(cupy_polynomial(cupy))


def fused_chain(cupy):
    def entries(y):
        return cupy.log1p(cupy.exp(cupy.sin(y) * cupy.tanh(y))) * cupy.cos(y)

    fused = cupy.fuse(entries)
    return lambda y: cupy.sum(fused(y))


def cupy_chain_gradient(cupy):
    """The derivative of the chain, worked out on paper."""

    def slope(y):
        sine, cosine, tangent = cupy.sin(y), cupy.cos(y), cupy.tanh(y)
        grown = cupy.exp(sine * tangent)
        inner = cosine * tangent + sine * (1 - tangent * tangent)
        return grown / (1 + grown) * inner * cosine - cupy.log1p(grown) * sine

    return slope


def fused_chain_gradient(cupy):
    return cupy.fuse(cupy_chain_gradient(cupy))


def cupy_softmax_jacobian(cupy):
    """diag(p)·W − p·(pᵀW), with p = softmax(Wx)."""

    def jacobian(w, x):
        scores = w @ x
        p = cupy.exp(scores - cupy.max(scores))
        p /= cupy.sum(p)
        return p[:, None] * (w - p @ w)

    return jacobian


def cupy_squares_product(cupy):
    return lambda a, b, x, v: 2 * (a.T @ (a @ v))


def cupy_recurrent(cupy):
    def loss(w, h, xs):
        found = 0.0
        for x in xs:
            h = cupy.tanh(w @ h + x)
            found = found + cupy.sum(h * h)
        return found

    return loss


def cupy_tiny(cupy):
    return lambda x: cupy.sum(cupy.tanh(x) ** 2)


# --- JAX's programs, and PyTorch's, that the CPU's cases do not have -----------------------------


def convolution_step(jax):
    gradient = convolution_gradient(jax)

    def step(parameters, x, labels):
        slopes = gradient(parameters, x, labels)
        return jax.tree_util.tree_map(lambda p, g: p - 0.1 * g, parameters, slopes)

    return step


def torch_convolution_step(torch, parameters, x, labels):
    gradient = torch_convolution_gradient(torch, parameters, x, labels)

    def step():
        return [
            tuple(p - 0.1 * g for p, g in zip(layer, slopes, strict=True))
            for layer, slopes in zip(parameters, gradient(), strict=True)
        ]

    return step


def torch_convolution_update(torch):
    """The same without a tape, which ``torch.compile`` takes whole."""

    def loss(parameters, x, labels):
        return -(torch_network(torch, parameters, x) * labels).sum(1).mean()

    gradient = torch.func.grad(loss)

    def step(parameters, x, labels):
        return [
            tuple(p - 0.1 * g for p, g in zip(layer, slopes, strict=True))
            for layer, slopes in zip(parameters, gradient(parameters, x, labels), strict=True)
        ]

    return step


def torch_recurrent_slope(torch):
    return torch.func.grad(torch_recurrent(torch))


def per_example(jax):
    gradient = jax.grad(lambda p, x, y: mlp_squared_loss(jax.numpy, p, x, y))
    return jax.vmap(gradient, (None, 0, 0))


def torch_per_example(torch):
    gradient = torch.func.grad(lambda p, x, y: mlp_squared_loss(torch, p, x, y))
    return torch.func.vmap(gradient, (None, 0, 0))


def torch_tiny(torch):
    return lambda x: torch.sum(torch.tanh(x) ** 2)


# --- the cases -------------------------------------------------------------------------------


def _products(sizes: tuple[int, ...], batch: int) -> int:
    """Operations of the products in one training step of an MLP."""
    pairs = list(zip(sizes, sizes[1:], strict=False))
    once = 2 * batch * sum(a * b for a, b in pairs)
    # forward, for the parameters, and for all inputs but the first layer's
    return 3 * once - 2 * batch * pairs[0][0] * pairs[0][1]


def _mlp_inputs(sizes: tuple[int, ...], batch: int) -> Any:
    def inputs(rng):
        parameters = mlp_parameters(rng, sizes)
        return parameters, numbers(rng, batch, sizes[0]), numbers(rng, batch, sizes[-1])

    return inputs


def _convolution_inputs(sizes: Sizes) -> Any:
    def inputs(rng):
        """Parameters of the layers that have some, images, one-hot labels."""
        flat = (sizes.pixels - 1) ** 2 * 64
        parameters = []
        for shape in ((3, 3, 1, 32), (3, 3, 32, 64), (flat, 128), (128, 10)):
            bias = (1, 1, 1, shape[-1]) if len(shape) == 4 else shape[-1:]
            scale = np.prod(shape[:-1]) ** -0.5
            parameters.append((numbers(rng, *shape, scale=scale), numbers(rng, *bias, scale=0.1)))
        labels = np.eye(10, dtype=np.float32)[rng.integers(0, 10, sizes.images)]
        return parameters, numbers(rng, sizes.images, sizes.pixels, sizes.pixels, 1), labels

    return inputs


def _case(name: str, title: str, inputs: Any, build: Any, **options: Any) -> Case:
    forms = {**jax_forms(jitted(build)), **options.pop("peers")}
    options = {"bars": (), "queued": True, **options}
    return Case(name=name, group=GROUP, title=title, inputs=inputs, forms=forms, **options)


def cases(sizes: Sizes) -> tuple[Case, ...]:
    """All cases at these sizes."""
    return (*_elementwise(sizes), *_derivatives(sizes), *_networks(sizes), _latency())


def _elementwise(s: Sizes) -> tuple[Case, ...]:
    return (
        _case(
            "gpu_polynomial",
            f"x·x + 2x, {s.image} × {s.image}",
            lambda rng: (numbers(rng, s.image, s.image),),
            polynomial,
            peers={
                "torch": torch_function(torch_polynomial),
                "cupy": cupy_function(cupy_polynomial, fused_polynomial),
            },
            bytes=8 * s.image**2,
            bars=(COPY,),
        ),
        _case(
            "gpu_chain",
            f"Σ log1p(exp(sin y·tanh y))·cos y, {s.vector:,} numbers",
            lambda rng: (numbers(rng, s.vector),),
            chain_value,
            peers={"torch": torch_function(chain), "cupy": cupy_function(chain, fused_chain)},
            bytes=4 * s.vector,
        ),
        _case(
            "gpu_chain_gradient",
            "the same: gradient",
            lambda rng: (numbers(rng, s.vector),),
            chain_gradient,
            peers={
                "torch": (torch_chain_tape, *torch_function(torch_chain_gradient)),
                "cupy": cupy_function(cupy_chain_gradient, fused_chain_gradient),
            },
            bytes=8 * s.vector,
        ),
    )


def _derivatives(s: Sizes) -> tuple[Case, ...]:
    def softmax_inputs(rng):
        return numbers(rng, s.softmax, s.softmax, scale=0.1), numbers(rng, s.softmax)

    def squares_inputs(rng):
        scale = s.squares**-0.5
        vectors = [numbers(rng, s.squares) for _ in range(3)]
        return numbers(rng, s.squares, s.squares, scale=scale), *vectors

    softmax = f"softmax(Wx), {s.softmax} × {s.softmax}: "
    by_hand = cupy_function(cupy_softmax_jacobian)
    return (
        *[
            _case(
                f"gpu_softmax_{mode}",
                softmax + mode,
                softmax_inputs,
                build,
                peers={
                    "torch": torch_function(torch_softmax(mode)),
                    "cupy": by_hand,
                },
                bytes=8 * s.softmax**2,
            )
            for mode, build in (("jacfwd", softmax_forward), ("jacrev", softmax_reverse))
        ],
        _case(
            "gpu_hvp",
            f"|Ax − b|², n = {s.squares:,}: HVP",
            squares_inputs,
            squares_product,
            peers={
                "torch": torch_function(torch_squares_product),
                "cupy": cupy_function(cupy_squares_product),
            },
            bytes=4 * s.squares**2,
            bars=(BY_HAND,),
        ),
        _case(
            "gpu_per_example",
            f"per-example gradients of an MLP, {_widths(s.example_mlp)}, {s.examples} examples",
            _mlp_inputs(s.example_mlp, s.examples),
            per_example,
            peers={"torch": torch_function(torch_per_example)},
        ),
    )


def _widths(sizes: tuple[int, ...]) -> str:
    return "-".join(map(str, sizes))


def _networks(s: Sizes) -> tuple[Case, ...]:
    def recurrent_inputs(rng):
        w = numbers(rng, s.state, s.state, scale=s.state**-0.5)
        return w, numbers(rng, s.state), numbers(rng, s.steps, s.state)

    steps = (
        ("gpu_step", s.mlp, s.mlp_batch, (BLAS,)),
        ("gpu_small_step", s.small_mlp, s.small_batch, ()),
    )
    return (
        *[
            _case(
                name,
                f"training step of an MLP, {_widths(widths)}, batch {batch}",
                _mlp_inputs(widths, batch),
                training_step,
                peers={"torch": (torch_step_tape, *torch_function(torch_step))},
                flops=_products(widths, batch),
                bars=bars,
            )
            for name, widths, batch, bars in steps
        ],
        _case(
            "gpu_convolution_step",
            f"training step of stax's convolutional net, {s.pixels} × {s.pixels}, batch {s.images}",
            _convolution_inputs(s),
            convolution_step,
            peers={
                "torch": (torch_convolution_step, *torch_function(torch_convolution_update)),
            },
            rtol=1e-2,
        ),
        _case(
            "gpu_recurrent",
            f"{s.steps} tanh steps of {s.state} through scan",
            recurrent_inputs,
            recurrent,
            peers={
                "torch": torch_function(torch_recurrent),
                "cupy": cupy_function(cupy_recurrent),
            },
        ),
        _case(
            "gpu_recurrent_gradient",
            "the same: gradient",
            recurrent_inputs,
            recurrent_gradient,
            peers={
                "torch": (torch_recurrent_gradient, *torch_function(torch_recurrent_slope)),
            },
            rtol=1e-2,
        ),
    )


def _latency() -> Case:
    return _case(
        "gpu_latency",
        "Σ tanh(x)² of 100 numbers, each call waited for",
        lambda rng: (numbers(rng, 100),),
        tanh_square,
        peers={"torch": torch_function(torch_tiny), "cupy": cupy_function(cupy_tiny)},
        queued=False,
        bars=(Bar("jax", 1.0),),
    )


CASES: dict[str, Case] = {case.name: case for case in cases(Sizes())}
SMALL_CASES: dict[str, Case] = {case.name: case for case in cases(SMALL)}
