"""The CUDA C of compiled programs, run on the CPU (simulator.py): every primitive's samples."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile.cuda.expressions import PRELUDE
from adlib.compile.cuda.program import OPTIONS, GpuProgram
from adlib.core import dtypes
from adlib.core.program import run
from adlib.interpreters.stage import stage
from tests.gpu import nvrtc
from tests.gpu.test_primitives import PLACED
from tests.ops.harness import Case
from tests.ops.test_registry import samples_of

needs_nvrtc = pytest.mark.skipif(
    nvrtc.library() is None, reason="NVIDIA's compiler is not installed: nvidia-cuda-nvrtc-cu12"
)
CHUNKS = 12


def close(given, wanted, what):
    given = given.get()
    assert (given.shape, given.dtype) == (wanted.shape, wanted.dtype), what
    if wanted.dtype in (np.float16, dtypes.bfloat16):
        given, wanted, rtol = given.astype(np.float32), wanted.astype(np.float32), 2e-2
    else:
        rtol = 2e-5
    if wanted.dtype.kind in "fc":
        np.testing.assert_allclose(given, wanted, rtol=rtol, atol=1e-5, err_msg=what)
    else:
        np.testing.assert_array_equal(given, wanted, err_msg=what)


def programs_of(chunk, xp=None):
    """Name, case and program of every so many samples."""
    programs = []
    for sample in PLACED[chunk::CHUNKS]:
        primitive, number = sample.values
        case = Case(primitive, samples_of(primitive)[number])
        closed = stage(case, [a.aval for a in case.args])
        programs.append((sample.id, case, GpuProgram(closed, xp)))
    return programs


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_sample(chunk, cuda):
    wrong = []
    for name, case, program in programs_of(chunk, cuda):
        closed = stage(case, [a.aval for a in case.args])
        wanted = [np.asarray(o._value) for o in run(closed, case.args)]
        args = [cuda.asarray(np.array(a._value)) for a in case.args]
        try:
            outs = program.function(*args)
            for o, w in zip(outs, wanted, strict=True):
                close(o, w, name)
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}\n{program.cuda}")
    assert not wrong, "\n\n".join(wrong)


@needs_nvrtc
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_sample_is_compiled_for_a_card(chunk):
    text = [PRELUDE]
    for i, (_, _, program) in enumerate(programs_of(chunk)):
        kernels = program.cuda.removeprefix(PRELUDE).replace('extern "C"', "")
        text.append(f"namespace n{i} {{\n{kernels}\n}}")
    assert len(nvrtc.cubin("\n".join(text), "sm_90", OPTIONS)) > 1000


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_one_program_for_each_architecture(architecture):
    x = jnp.ones((300, 1000))
    program = GpuProgram(adlib.make_jaxpr(lambda x: adlib.nn.softmax(x, axis=1))(x))
    assert nvrtc.cubin(program.cuda, architecture, OPTIONS)[:4] == b"\x7fELF"


@needs_nvrtc
def test_what_is_wrong_is_said():
    with pytest.raises(AssertionError, match="identifier .* is undefined"):
        nvrtc.cubin("__global__ void f(float* x) { x[0] = nothing; }", "sm_90")
