"""Scatters as CUDA kernels against the reference executor: types, repeats, modes, odd shapes."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.cuda.expressions import PRELUDE
from adlib.compile.cuda.program import OPTIONS, GpuProgram
from adlib.compile.steps import Call
from adlib.core.primitive import registry
from adlib.core.program import run
from adlib.interpreters.stage import stage
from adlib.ops.index_plan import GatherScatterMode, as_scatter, windows_shape
from adlib.ops.scatter_rules import sample_numbers, scatter_params
from tests.gpu import nvrtc
from tests.gpu.test_cuda_kernels import close, needs_nvrtc

NAMES = ["scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max"]
DTYPES = (
    "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 "
    "float16 bfloat16 float32 float64 complex64 complex128"
).split()


def numbers(rng, shape, dtype):
    """Random numbers, of which sums and products are exact in every type."""
    dtype = jnp.dtype(dtype)
    found = rng.integers(-2 if dtype.kind not in "ub" else 0, 3, shape)
    if dtype.kind == "c":
        return (found + 1j * rng.integers(-2, 3, shape)).astype(dtype)
    return found.astype(dtype)


def program_of(primitive, cuda, args, **params):
    closed = stage(lambda *xs: [primitive.bind(*xs, **params)], [a.aval for a in args])
    return closed, GpuProgram(closed, cuda)


def check(cuda, cases):
    """Compiles all cases (name, primitive, arguments, parameters) together, and runs each."""
    made = []
    for what, primitive, args, params in cases:
        args = [jnp.asarray(a) for a in args]
        closed, program = program_of(primitive, cuda, args, **params)
        assert not any(type(step) is Call for step in program.schedule.steps), what
        made.append((what, args, closed, program))
    for what, args, closed, program in made:
        (wanted,) = [np.asarray(o._value) for o in run(closed, args)]
        (given,) = program.function(*[cuda.asarray(np.array(a._value)) for a in args])
        close(given, wanted, what)


def update_of(name, dtype):
    """The parameters of a scatter of rows, or None where it does not take the type."""
    kinds = {"scatter-mul": "biufcV", "scatter-min": "biufV", "scatter-max": "biufV"}
    if jnp.dtype(dtype).kind not in kinds.get(name, "biufcV"):
        return None
    operation = {"add": "add", "sub": "sub", "mul": "mul", "min": "min", "max": "max"}
    primitive = registry.get(operation.get(name[8:], ""))
    if dtype == "bool" and name == "scatter-sub":
        return None
    return primitive


@pytest.mark.parametrize("deterministic", [False, True], ids=["atomic", "in-order"])
@pytest.mark.parametrize("name", NAMES)
def test_every_type_with_repeats(name, deterministic, cuda):
    with adlib.enable_x64(), adlib.config.override(gpu_deterministic=deterministic):
        check(cuda, typed_cases(name))


def typed_cases(name):
    rng = np.random.default_rng(0)
    gather_numbers = sample_numbers()["rows"][2]
    cases = []
    for dtype in DTYPES:
        update = update_of(name, dtype)
        if update is None and name != "scatter":
            continue
        count = 6 if name == "scatter-mul" else 40
        indices = rng.integers(-1, 8, (count, 1)).astype(np.int32)
        params = scatter_params(
            update, jnp.dtype(dtype), as_scatter(gather_numbers), GatherScatterMode.FILL_OR_DROP
        )
        args = numbers(rng, (7, 3), dtype), indices, numbers(rng, (count, 3), dtype)
        cases.append((f"{name} {dtype}", registry[name], args, params))
    return cases


@pytest.mark.parametrize("mode", [GatherScatterMode.CLIP, GatherScatterMode.FILL_OR_DROP])
@pytest.mark.parametrize("name", ["scatter", "scatter-add"])
def test_every_shape(name, mode, cuda):
    rng = np.random.default_rng(1)
    cases = []
    for what, (shape, indices, gather_numbers, sizes) in sample_numbers().items():
        indices = np.asarray(indices, np.int32)
        params = scatter_params(
            update_of(name, "float32"), np.dtype("f4"), as_scatter(gather_numbers), mode
        )
        updates = windows_shape(indices.shape, gather_numbers, sizes)
        args = numbers(rng, shape, "float32"), indices, numbers(rng, updates, "float32")
        cases.append((what, registry[name], args, params))
    check(cuda, cases)


def test_the_last_update_wins_among_thousands(cuda):
    rng = np.random.default_rng(2)
    index = rng.integers(0, 11, 3000)
    x, u = rng.standard_normal(11).astype("f4"), rng.standard_normal(3000).astype("f4")
    f = lambda x, u: jnp.asarray(x).at[index].set(u)  # noqa: E731
    wanted = np.array(x)
    for i, value in zip(index, u, strict=True):
        wanted[i] = value
    program = GpuProgram(adlib.make_jaxpr(f)(x, u), cuda)
    (given,) = program.function(cuda.asarray(x), cuda.asarray(u))
    np.testing.assert_array_equal(given.get(), wanted)
    gradient = GpuProgram(adlib.make_jaxpr(adlib.grad(lambda u: jnp.sum(f(x, u) ** 2)))(u), cuda)
    (given,) = gradient.function(cuda.asarray(u))
    last = {i: place for place, i in enumerate(index)}
    only = np.zeros(3000, "f4")
    for place in last.values():
        only[place] = 2 * u[place]
    np.testing.assert_array_equal(given.get(), only)


def test_nan_stays_in_extrema(cuda):
    x = np.float32([1, np.nan, -0.0, 3])
    index, u = np.array([0, 0, 1, 2, 3, 3]), np.float32([np.nan, 5, 1, 0.0, 7, 2])
    for f in (lambda x, u: x.at[index].max(u), lambda x, u: x.at[index].min(u)):
        program = GpuProgram(adlib.make_jaxpr(f)(x, u), cuda)
        (given,) = program.function(cuda.asarray(x), cuda.asarray(u))
        np.testing.assert_array_equal(given.get(), np.asarray(f(jnp.asarray(x), jnp.asarray(u))))


@pytest.mark.parametrize("size", [1, 31, 1000, 5001])
def test_histograms(size, cuda):
    rng = np.random.default_rng(size)
    index = rng.integers(-3, 20, size)
    f = lambda i: jnp.zeros(16, jnp.int32).at[i].add(1, mode="drop")  # noqa: E731
    program = GpuProgram(adlib.make_jaxpr(f)(index.astype("i4")), cuda)
    (given,) = program.function(cuda.asarray(index.astype("i4")))
    np.testing.assert_array_equal(given.get(), np.asarray(f(jnp.asarray(index, jnp.int32))))


def test_sums_are_made_by_atomic_operations_only_where_indices_may_repeat():
    x, i, u = np.ones((9, 4), "f4"), np.arange(5), np.ones((5, 4), "f4")

    def text(**how):
        program = GpuProgram(adlib.make_jaxpr(lambda x, i, u: x.at[i].add(u, **how))(x, i, u))
        return program.cuda.removeprefix(PRELUDE)

    assert "atomicAdd(b" in text()
    assert "atomic" not in text(unique_indices=True)
    with adlib.config.override(gpu_deterministic=True):
        assert "atomic" not in text() and "turn < 5" in text()


def test_one_window_cannot_meet_itself():
    closed = adlib.make_jaxpr(lambda x, i: x.at[i].add(1.0))(np.ones(9, "f4"), 3)
    assert "atomic" not in GpuProgram(closed).cuda.removeprefix(PRELUDE)


def test_order_is_the_same_at_every_run_where_asked(cuda):
    rng = np.random.default_rng(3)
    index = rng.integers(0, 5, 2000)
    u = (rng.standard_normal(2000) * 10.0 ** rng.integers(-3, 4, 2000)).astype("f4")
    wanted = np.zeros(5, "f4")
    for i, value in zip(index, u, strict=True):
        wanted[i] += value
    with adlib.config.override(gpu_deterministic=True):
        closed = adlib.make_jaxpr(lambda u: jnp.zeros(5).at[index].add(u))(u)
        (given,) = GpuProgram(closed, cuda).function(cuda.asarray(u))
    np.testing.assert_array_equal(given.get(), wanted)


PARTS = {
    "concatenate": lambda x, y: jnp.concatenate([x, y[:, :2], x * 2], axis=1),
    "stack": lambda x, y: jnp.stack([x, y, x + y], axis=1),
    "pad": lambda x, y: lax.pad(x, 1.0, ((1, -1, 2), (0, 3, 0))) + jnp.sum(y),
    "update": lambda x, y: lax.dynamic_update_slice(x, y[:2, :2], (jnp.int32(7), jnp.int32(1))),
    "update-at": lambda x, y: x.at[1:3, ::2].set(y[1:3, ::2]),
}


@pytest.mark.parametrize("name", PARTS)
def test_arrays_put_together(name, cuda):
    rng = np.random.default_rng(4)
    for shape in ((4, 5), (3, 70)):
        x, y = (rng.standard_normal(shape).astype("f4") for _ in range(2))
        program = GpuProgram(adlib.make_jaxpr(PARTS[name])(x, y), cuda)
        assert not any(type(step) is Call for step in program.schedule.steps)
        (given,) = program.function(cuda.asarray(x), cuda.asarray(y))
        wanted = np.asarray(PARTS[name](jnp.asarray(x), jnp.asarray(y)))
        np.testing.assert_allclose(given.get(), wanted, rtol=1e-6)


@needs_nvrtc
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_kernels_of_all_types_are_compiled_for_a_card(architecture):
    text = [PRELUDE]
    with adlib.enable_x64():
        for name in NAMES:
            for _, primitive, args, params in typed_cases(name):
                _, program = program_of(primitive, None, [jnp.asarray(a) for a in args], **params)
                kernels = program.cuda.removeprefix(PRELUDE).replace('extern "C"', "")
                text.append(f"namespace n{len(text)} {{\n{kernels}\n}}")
    assert len(text) > 70
    assert nvrtc.cubin("\n".join(text), architecture, OPTIONS)[:4] == b"\x7fELF"
