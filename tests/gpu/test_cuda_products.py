"""Batches of small matrix products as CUDA kernels against the reference executor."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile.cuda.expressions import PRELUDE
from adlib.compile.cuda.program import OPTIONS, GpuProgram
from adlib.compile.steps import Call, Dot, Group
from adlib.core import dtypes
from tests.gpu import nvrtc
from tests.gpu.test_cuda_kernels import needs_nvrtc

DTYPES = "int8 uint16 int32 uint32 int64 uint64 float32 float64 complex64 complex128".split()
# batch, rows, columns, summed elements
SIZES = [(2, 2, 2, 2), (300, 3, 2, 5), (7, 32, 32, 32), (5, 31, 17, 29), (40, 2, 32, 9)]


def numbers(shape, dtype, seed=0):
    rng, dtype = np.random.default_rng(seed), jnp.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(-3 if dtype.kind == "i" else 0, 4, shape).astype(dtype)
    found = rng.standard_normal(shape)
    return (found + 1j * rng.standard_normal(shape) if dtype.kind == "c" else found).astype(dtype)


def check(cuda, cases):
    """Compiles all cases (function, arguments) together; each has a kernel for its product."""
    made = [(f, args, GpuProgram(adlib.make_jaxpr(f)(*args), cuda)) for f, args in cases]
    for f, args, program in made:
        assert Dot in map(type, program.schedule.steps) and "left[" in program.cuda
        assert Call not in map(type, program.schedule.steps)
        (given,) = program.function(*[cuda.asarray(a) for a in args])
        given, wanted = given.get(), np.asarray(f(*map(jnp.asarray, args)))
        assert (given.shape, given.dtype) == (wanted.shape, wanted.dtype)
        if wanted.dtype.kind in "iu":
            np.testing.assert_array_equal(given, wanted)
        else:
            np.testing.assert_allclose(given, wanted, rtol=2e-5, atol=2e-5)
    return made


@pytest.mark.parametrize("size", SIZES)
def test_every_type(size, cuda):
    batch, m, n, k = size
    with adlib.enable_x64():
        arrays = [(numbers((batch, m, k), d), numbers((batch, k, n), d, 1)) for d in DTYPES]
        check(cuda, [(lambda x, y: x @ y, pair) for pair in arrays])


LAYOUTS = {
    "left transposed": ("bki,bkj->bij", (9, 5, 3), (9, 5, 4)),
    "right transposed": ("bik,bjk->bij", (9, 3, 5), (9, 4, 5)),
    "both transposed": ("bki,bjk->bij", (9, 5, 3), (9, 4, 5)),
    "batch last": ("ikb,kjb->bij", (3, 5, 9), (5, 4, 9)),
    "two batches": ("abik,abkj->abij", (3, 4, 3, 5), (3, 4, 5, 2)),
    "two sums": ("bikl,bklj->bij", (6, 3, 2, 4), (6, 2, 4, 5)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout(name, cuda):
    subscripts, left, right = LAYOUTS[name]
    f = lambda x, y: jnp.einsum(subscripts, x, y)  # noqa: E731
    check(cuda, [(f, (numbers(left, "f4"), numbers(right, "f4", 1)))])


def test_scales_and_what_is_added(cuda):
    x, y, z = numbers((9, 3, 5), "f4"), numbers((9, 5, 4), "f4", 1), numbers((9, 3, 4), "f4", 2)
    complex_ = [(a + 1j * a[::-1]).astype("c8") for a in (x, y, z)]
    whole = [(a * 3).astype("i4") for a in (x, y, z)]
    functions = [
        lambda x, y, z: z - x @ y,
        lambda x, y, z: z + 2 * (x @ y),
        lambda x, y, z: -(x @ y),
    ]
    made = check(cuda, [(f, args) for f in functions for args in ((x, y, z), complex_, whole)])
    for _, _, program in made[:2]:
        assert [type(step) for step in program.schedule.steps] == [Dot]


def test_gradients(cuda):
    x, y = numbers((20, 4, 6), "f4"), numbers((20, 6, 3), "f4", 1)
    for argument in (0, 1):
        f = adlib.grad(lambda x, y: jnp.sum(jnp.sin(x @ y)), argument)
        check(cuda, [(f, (x, y))])


def test_which_products_these_are():
    def step(m, n, k, batch=(9,), dtype="f4"):
        x, y = numbers((*batch, m, k), dtype), numbers((*batch, k, n), dtype)
        program = GpuProgram(adlib.make_jaxpr(lambda x, y: x @ y)(x, y))
        return "left[" in program.cuda

    assert step(2, 2, 2) and step(32, 32, 32)
    assert not step(33, 2, 2) and not step(2, 2, 33)
    assert not step(1, 8, 8) and not step(8, 8, 8, ())
    assert not step(8, 8, 8, dtype=np.float16) and not step(8, 8, 8, dtype=dtypes.bfloat16)


def test_products_of_one_pair_are_fused(cuda):
    x = numbers((8, 8), "f4")
    program = GpuProgram(adlib.make_jaxpr(lambda x: jnp.sin(x) @ x)(x), cuda)
    assert {type(step) for step in program.schedule.steps} == {Group}


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_kernels_of_all_types_are_compiled_for_a_card(architecture):
    text = [PRELUDE]
    with adlib.enable_x64():
        for dtype in DTYPES:
            for batch, m, n, k in SIZES:
                args = numbers((batch, m, k), dtype), numbers((batch, k, n), dtype)
                program = GpuProgram(adlib.make_jaxpr(lambda x, y: 2 * (x @ y))(*args))
                kernels = program.cuda.removeprefix(PRELUDE).replace('extern "C"', "")
                text.append(f"namespace n{len(text)} {{\n{kernels}\n}}")
    assert nvrtc.cubin("\n".join(text), architecture, OPTIONS)[:4] == b"\x7fELF"
