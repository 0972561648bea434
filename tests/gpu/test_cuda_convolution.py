"""Convolutions as CUDA kernels against the reference executor: geometries, types, gradients."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.cuda.expressions import PRELUDE
from adlib.compile.cuda.program import OPTIONS, GpuProgram
from adlib.compile.steps import Call
from adlib.core import dtypes
from tests.gpu import nvrtc
from tests.gpu.test_cuda_kernels import needs_nvrtc

DTYPES = "int8 int32 uint32 int64 float16 bfloat16 float32 float64 complex64 complex128".split()
NHWC = ("NHWC", "HWIO", "NHWC")

# input, kernel, keyword arguments of lax.conv_general_dilated
GEOMETRIES = {
    "plain": ((2, 3, 7, 6), (5, 3, 3, 2), {}),
    "padded": ((2, 3, 7, 6), (5, 3, 3, 2), dict(padding=((1, 2), (2, 0)))),
    "cropped": ((2, 3, 7, 9), (5, 3, 3, 2), dict(padding=((-1, 1), (2, -2)))),
    "strided": ((2, 3, 9, 8), (5, 3, 3, 2), dict(window_strides=(2, 3), padding="SAME")),
    "spread kernel": ((2, 3, 9, 8), (5, 3, 2, 3), dict(rhs_dilation=(3, 2), padding="SAME")),
    "spread input": (
        (2, 3, 4, 5),
        (5, 3, 3, 3),
        dict(lhs_dilation=(2, 3), padding=((2, 1), (1, 2))),
    ),
    "spread both": (
        (2, 3, 4, 5),
        (5, 3, 3, 2),
        dict(
            lhs_dilation=(3, 2),
            rhs_dilation=(2, 4),
            window_strides=(2, 3),
            padding=((4, 3), (5, 2)),
        ),
    ),
    "holes": ((1, 2, 5), (3, 2, 1), dict(lhs_dilation=(3,), padding=((1, 1),))),
    "channels last": ((2, 7, 6, 3), (3, 2, 3, 5), dict(padding="SAME", dimension_numbers=NHWC)),
    "feature groups": ((2, 6, 7, 6), (9, 2, 3, 2), dict(feature_group_count=3)),
    "depthwise": ((2, 5, 7, 6), (5, 1, 3, 3), dict(feature_group_count=5, padding="SAME")),
    "batch groups": ((6, 3, 7), (8, 3, 3), dict(batch_group_count=2)),
    "one axis": ((3, 2, 20), (40, 2, 5), dict(window_strides=(2,))),
    "three axes": ((1, 2, 4, 5, 4), (3, 2, 2, 3, 2), dict(padding="SAME")),
    "no axis": ((5, 7), (9, 7), {}),
    "one by one": ((3, 20, 5, 5), (33, 20, 1, 1), {}),
    "many columns": ((1, 3, 13, 12), (70, 3, 2, 2), {}),
    "long sums": ((2, 40, 9, 9), (6, 40, 8, 8), {}),
    "no result": ((1, 2, 2), (3, 2, 5), {}),
    "no features": ((2, 0, 5), (3, 0, 2), {}),
}


def numbers(shape, dtype, seed=0):
    rng, dtype = np.random.default_rng(seed), jnp.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(-3 if dtype.kind == "i" else 0, 4, shape).astype(dtype)
    found = rng.standard_normal(shape)
    return (found + 1j * rng.standard_normal(shape) if dtype.kind == "c" else found).astype(dtype)


def convolution(name):
    rank = len(GEOMETRIES[name][0]) - 2
    how = {"window_strides": (1,) * rank, "padding": ((0, 0),) * rank, **GEOMETRIES[name][2]}
    return lambda x, w: lax.conv_general_dilated(x, w, **how)


def check(cuda, cases):
    """Compiles all cases (name, function, arguments) together; none of them calls CuPy."""
    made = [(n, f, args, GpuProgram(adlib.make_jaxpr(f)(*args), cuda)) for n, f, args in cases]
    for name, f, args, program in made:
        assert not any(type(step) is Call for step in program.schedule.steps), name
        given = program.function(*[cuda.asarray(a) for a in args])
        wanted = adlib.tree.leaves(f(*map(jnp.asarray, args)))
        for g, w in zip(given, wanted, strict=True):
            g, w = g.get(), np.asarray(w)
            assert (g.shape, g.dtype) == (w.shape, w.dtype), name
            if w.dtype.kind in "iu":
                np.testing.assert_array_equal(g, w, err_msg=name)
                continue
            rtol = 3e-2 if w.dtype in (np.float16, dtypes.bfloat16) else 5e-5
            kind = np.complex128 if w.dtype.kind == "c" else np.float64
            g, w = g.astype(kind), w.astype(kind)
            scale = max(1.0, abs(w).max(initial=0))
            np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * scale, err_msg=name)


def arguments(name, dtype="float32"):
    left, right, _ = GEOMETRIES[name]
    return numbers(left, dtype), numbers(right, dtype, 1)


def test_every_geometry(cuda):
    check(cuda, [(name, convolution(name), arguments(name)) for name in GEOMETRIES])


@pytest.mark.parametrize("argument", [0, 1], ids=["input", "kernel"])
def test_every_gradient(argument, cuda):
    cases = []
    for name in GEOMETRIES:
        if name.startswith("no "):
            continue
        f = convolution(name)

        def gradient(x, w, f=f):
            return adlib.grad(lambda *args: jnp.sum(jnp.sin(f(*args))), argument)(x, w)

        cases.append((name, gradient, arguments(name)))
    check(cuda, cases)


@pytest.mark.parametrize("name", ["padded", "spread both", "depthwise", "long sums"])
def test_every_type(name, cuda):
    with adlib.enable_x64():
        check(cuda, [(f"{name} {d}", convolution(name), arguments(name, d)) for d in DTYPES])


def test_a_batch_of_kernels(cuda):
    x, w = numbers((4, 2, 3, 8), "f4"), numbers((4, 5, 3, 3), "f4", 1)
    f = adlib.vmap(lambda x, w: lax.conv(x, w, (1,), "SAME"))
    check(cuda, [("both", f, (x, w))])


def launches(program):
    return [x for s in program.segments.values() for g in s.groups for x in g.launches]


def test_sums_of_few_tiles_are_cut_into_parts():
    x, w = np.ones((32, 16, 56, 56), "f4"), np.ones((16, 16, 3, 3), "f4")
    f = adlib.grad(lambda w: jnp.sum(lax.conv(x, w, (1, 1), "SAME") ** 2))
    found = launches(GpuProgram(adlib.make_jaxpr(f)(w)))
    product, together = [one for one in found if one.partials]
    assert product.blocks > 100 and "reinterpret_cast<float*>(p0)" in together.source


def test_zeros_between_elements_are_never_multiplied():
    x, w = np.ones((2, 3, 9, 9), "f4"), np.ones((4, 3, 4, 4), "f4")
    f = lambda x, w: lax.conv_transpose(  # noqa: E731
        x, w, (2, 2), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")
    )
    found = launches(GpuProgram(adlib.make_jaxpr(f)(x, w)))
    assert len([one for one in found if "left[" in one.source]) == 4  # one for each phase


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_kernels_are_compiled_for_a_card(architecture):
    text = [PRELUDE]
    with adlib.enable_x64():
        cases = [(name, "float32") for name in GEOMETRIES]
        cases += [(n, d) for n in ("many columns", "depthwise", "long sums") for d in DTYPES]
        for name, dtype in cases:
            program = GpuProgram(adlib.make_jaxpr(convolution(name))(*arguments(name, dtype)))
            kernels = program.cuda.removeprefix(PRELUDE).replace('extern "C"', "")
            text.append(f"namespace n{len(text)} {{\n{kernels}\n}}")
    assert nvrtc.cubin("\n".join(text), architecture, OPTIONS)[:4] == b"\x7fELF"
