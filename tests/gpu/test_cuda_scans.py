"""Cumulative operations as CUDA kernels against the reference executor: types, axes, lengths."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.cuda.expressions import PRELUDE
from adlib.compile.cuda.program import OPTIONS, GpuProgram
from adlib.compile.steps import Call
from tests.gpu import nvrtc
from tests.gpu.test_cuda_kernels import needs_nvrtc

NAMES = ["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"]
DTYPES = "int8 uint16 int32 int64 uint64 float16 bfloat16 float32 float64 complex64 complex128"
KINDS = {"cumsum": "iufcV", "cumprod": "iufcV", "cumlogsumexp": "fV"}
# (shape, axis): one thread or block for a row, parts of long rows, columns, odd sizes, none at all
SHAPES = [
    ((1,), 0),
    ((40,), 0),
    ((3, 33), 1),
    ((2, 1801), 1),
    ((7, 1801), 1),
    ((30_001,), 0),
    ((5, 30), 0),
    ((50, 9), 0),
    ((700, 11), 0),
    ((3, 100, 2), 1),
    ((4, 7, 40), 2),
    ((0, 3), 0),
    ((3, 0), 0),
]


def numbers(shape, dtype, seed=0):
    rng, dtype = np.random.default_rng(seed), jnp.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(-3 if dtype.kind == "i" else 0, 4, shape).astype(dtype)
    found = rng.standard_normal(shape)
    if dtype.kind == "c":
        found = found + 1j * rng.standard_normal(shape)
    # so that products neither vanish nor overflow
    return (found / np.maximum(abs(found), 1e-3) * rng.uniform(0.98, 1.02, shape)).astype(dtype)


def check(cuda, cases, tolerance=None):
    """Compiles all cases (function, argument) together; compares with NumPy in wide types."""
    made = [(f, x, GpuProgram(adlib.make_jaxpr(f)(x), cuda)) for f, x in cases]
    for f, x, program in made:
        assert not any(type(step) is Call for step in program.schedule.steps)
        (given,) = program.function(cuda.asarray(x))
        given, wanted = given.get(), np.asarray(f(jnp.asarray(x)))
        assert (given.shape, given.dtype) == (wanted.shape, wanted.dtype)
        if wanted.dtype.kind in "iub":
            np.testing.assert_array_equal(given, wanted)
        else:
            rtol = 2e-2 if wanted.dtype.itemsize == 2 else 1e-3 if tolerance is None else tolerance
            kind = np.complex128 if wanted.dtype.kind == "c" else np.float64
            given, wanted = given.astype(kind), wanted.astype(kind)
            np.testing.assert_allclose(given, wanted, rtol=rtol, atol=rtol)


def operation(name, axis, reverse):
    return lambda x: getattr(lax, name)(x, axis=axis, reverse=reverse)


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("name", NAMES)
def test_every_shape(name, reverse, cuda):
    cases = [
        (operation(name, axis, reverse), numbers(shape, "float32", i))
        for i, (shape, axis) in enumerate(SHAPES)
    ]
    check(cuda, cases)


@pytest.mark.parametrize("name", NAMES)
def test_every_type(name, cuda):
    with adlib.enable_x64():
        dtypes = [d for d in DTYPES.split() if jnp.dtype(d).kind in KINDS.get(name, "iufV")]
        shapes = [((1900,), 0), ((3, 20), 1), ((40, 9), 0)]
        cases = [
            (operation(name, axis, False), numbers(shape, d))
            for d in dtypes
            for shape, axis in shapes
        ]
        check(cuda, cases)


def test_what_is_read_is_fused(cuda):
    f = lambda x: jnp.cumsum((x.T[::-1] * 2)[:, :300], axis=1)  # noqa: E731
    check(cuda, [(f, numbers((400, 3), "float32"))])
    gradient = adlib.grad(lambda x: jnp.sum(jnp.cumsum(x) ** 2))
    check(cuda, [(gradient, numbers((500,), "float32"))])


def test_nan_infinities_and_signed_zeros(cuda):
    x = np.zeros(70, "f4")
    x[[3, 40, 60]] = np.nan, np.inf, -np.inf
    zeros = np.float32([-0.0] * 40)
    cases = [(operation(name, 0, r), x) for name in NAMES for r in (False, True)]
    check(cuda, cases)
    check(cuda, [(operation("cumlogsumexp", 0, False), np.full(70, -np.inf, "f4"))])
    (given,) = GpuProgram(adlib.make_jaxpr(lax.cumsum)(zeros), cuda).function(cuda.asarray(zeros))
    assert np.signbit(given.get()).all()


def test_long_rows_are_cut_into_parts():
    x = np.ones(1 << 20, "f4")
    program = GpuProgram(adlib.make_jaxpr(lax.cumsum)(x))
    first, second = [n for s in program.segments.values() for g in s.groups for n in g.launches]
    assert first.blocks == second.blocks > 200 and first.partials == second.partials == [0]
    short = GpuProgram(adlib.make_jaxpr(lambda x: lax.cumsum(x, 1))(np.ones((5000, 300), "f4")))
    (only,) = [n for s in short.segments.values() for g in s.groups for n in g.launches]
    assert only.blocks == 5000 and only.threads == 64


def test_every_run_gives_the_same_bits(cuda):
    x = np.random.default_rng(1).standard_normal(30_000).astype("f4")
    program = GpuProgram(adlib.make_jaxpr(lax.cumsum)(x), cuda)
    first, second = [program.function(cuda.asarray(x))[0].get() for _ in range(2)]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, np.cumsum(x.astype("f8")), rtol=1e-4, atol=1e-3)


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_kernels_of_all_types_are_compiled_for_a_card(architecture):
    text = [PRELUDE]
    with adlib.enable_x64():
        for name in NAMES:
            for dtype in DTYPES.split():
                if jnp.dtype(dtype).kind not in KINDS.get(name, "iufV"):
                    continue
                for shape, axis in (((9001,), 0), ((700, 11), 0)):
                    x = numbers(shape, dtype)
                    program = GpuProgram(adlib.make_jaxpr(operation(name, axis, True))(x))
                    kernels = program.cuda.removeprefix(PRELUDE).replace('extern "C"', "")
                    text.append(f"namespace n{len(text)} {{\n{kernels}\n}}")
    assert len(text) > 80
    assert nvrtc.cubin("\n".join(text), architecture, OPTIONS)[:4] == b"\x7fELF"
