"""Windowed reductions, and their derivatives, as CUDA kernels against the reference executor."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.cuda.expressions import PRELUDE
from adlib.compile.cuda.program import OPTIONS, GpuProgram
from adlib.compile.steps import Call
from tests.gpu import nvrtc
from tests.gpu.test_cuda_kernels import close, needs_nvrtc

START = {"max": -np.inf, "min": np.inf, "add": 0.0}
WINDOWS = {
    "pool": ((2, 3, 8, 6), dict(window_dimensions=(1, 1, 2, 2), window_strides=(1, 1, 2, 2))),
    "overlap": (
        (2, 9, 7),
        dict(window_dimensions=(1, 3, 3), window_strides=(1, 2, 1), padding="SAME"),
    ),
    "spread": ((11, 6), dict(window_dimensions=(3, 2), window_dilation=(2, 3), padding="SAME")),
    "gaps": (
        (5, 6),
        dict(window_dimensions=(3, 2), base_dilation=(2, 3), padding=((1, 2), (0, 1))),
    ),
    "cut": ((9,), dict(window_dimensions=(2,), padding=((-1, -2),))),
    "beside": ((4,), dict(window_dimensions=(2,), window_strides=(2,), padding=((4, 3),))),
    "empty": ((2, 3), dict(window_dimensions=(3, 1))),
}


def reduced(kind, how):
    function = getattr(lax, kind)
    return lambda x: lax.reduce_window(x, x.dtype.type(START[kind]), function, **how)


def numbers(shape, dtype="f4"):
    rng = np.random.default_rng(0)  # few values, so that many are equal
    found = rng.integers(-3, 4, shape) + (1j if np.dtype(dtype).kind == "c" else 0)
    return found.astype(dtype)


def check(cuda, cases):
    """Compiles all cases (name, function, argument) together; none of them calls CuPy."""
    made = [(n, f, x, GpuProgram(adlib.make_jaxpr(f)(x), cuda)) for n, f, x in cases]
    for name, f, x, program in made:
        assert not any(type(step) is Call for step in program.schedule.steps), name
        (given,) = program.function(cuda.asarray(x))
        with adlib.config.override(jax_disable_jit=True):
            close(given, np.asarray(f(jnp.asarray(x))), name)


@pytest.mark.parametrize("kind", START)
def test_every_window_and_its_gradient(kind, cuda):
    cases = []
    for name, (shape, how) in WINDOWS.items():
        f = reduced(kind, how)
        cases.append((name, f, numbers(shape)))
        if name != "empty":
            gradient = adlib.grad(lambda x, f=f: jnp.sum(jnp.sin(f(x))))
            cases.append((f"gradient of {name}", gradient, numbers(shape)))
            forward = lambda x, f=f: adlib.jvp(f, (x,), (jnp.cos(x),))[1]  # noqa: E731
            cases.append((f"tangent of {name}", forward, numbers(shape)))
    if kind != "add":  # a window beside the array has the infinity that nothing is
        cases = [case for case in cases if case[0] != "gradient of beside"]
    check(cuda, cases)


def test_every_type(cuda):
    shape, how = WINDOWS["overlap"]
    with adlib.enable_x64():
        dtypes = "i1 u2 i4 i8 f2 f4 f8".split() + [jnp.bfloat16]
        cases = [(f"{d} {k}", reduced(k, how), numbers(shape, d)) for d in dtypes for k in ("add",)]
        floats = ["f2", "f8", jnp.bfloat16]
        cases += [(f"{d}", reduced("max", how), numbers(shape, d)) for d in floats]
        for d in floats:
            gradient = adlib.grad(lambda x: jnp.sum(reduced("max", how)(x) * 2).astype(x.dtype))
            cases.append((f"gradient {d}", gradient, numbers(shape, d)))
        cases.append(("complex", reduced("add", how), numbers(shape, "c16")))
        check(cuda, cases)


def test_nan(cuda):
    x = numbers((9, 7))
    x[2, 3] = np.nan
    how = dict(window_dimensions=(3, 3), padding="SAME")
    gradient = adlib.grad(lambda x: jnp.sum(lax.reduce_window(x, -jnp.inf, lax.max, **how)))
    check(cuda, [("max", reduced("max", how), x), ("min", reduced("min", how), x)])
    check(cuda, [("gradient", gradient, x)])


def test_a_step_of_a_convolutional_network_calls_nothing(cuda):
    def loss(w, x):
        x = adlib.nn.relu(lax.conv(x, w, (1, 1), "SAME"))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        return jnp.mean(x**2)

    x, w = numbers((2, 1, 8, 8)), numbers((3, 1, 3, 3))
    check(cuda, [("step", lambda w: w - 0.1 * adlib.grad(loss)(w, x), w)])


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_kernels_are_compiled_for_a_card(architecture):
    text = [PRELUDE]
    for kind in START:
        for shape, how in WINDOWS.values():
            f = reduced(kind, how)
            for g in (f, adlib.grad(lambda x, f=f: jnp.sum(jnp.sin(f(x))))):
                kernels = GpuProgram(adlib.make_jaxpr(g)(numbers(shape))).cuda
                kernels = kernels.removeprefix(PRELUDE).replace('extern "C"', "")
                text.append(f"namespace n{len(text)} {{\n{kernels}\n}}")
    assert nvrtc.cubin("\n".join(text), architecture, OPTIONS)[:4] == b"\x7fELF"
