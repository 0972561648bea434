"""Whole programs as CUDA: what is fused, how it is cut up, and that it computes the same."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile.cuda import program
from adlib.compile.cuda.program import GpuProgram
from adlib.compile.steps import Control, Dot, Group, Region


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def compiled(f, cuda, *args):
    """The program of a function; checks its results against the CPU's."""
    closed = adlib.make_jaxpr(f)(*args)
    program = GpuProgram(closed, cuda)
    wanted = [np.asarray(o) for o in adlib.tree.leaves(f(*map(jnp.asarray, args)))]
    given = program.function(*[cuda.asarray(np.array(a)) for a in args])
    for g, w in zip(given, wanted, strict=True):
        np.testing.assert_allclose(g.get(), w, rtol=2e-5, atol=2e-5)
    return program


def launches(program):
    return [x for s in program.segments.values() for g in s.groups for x in g.launches]


def kinds(program):
    return [type(step) for step in program.schedule.steps]


def test_elements_are_read_several_at_once(cuda):
    program = compiled(lambda x: x * x + 2 * x, cuda, random(37, 53))
    (launch,) = launches(program)
    assert "float v[4]" in launch.source and "b0[i]" in launch.source  # the odd one out
    assert launch.blocks * launch.threads * 4 >= 37 * 53


def test_a_chain_and_its_gradient_are_one_kernel_each(cuda):
    def f(x):
        return jnp.sum(jnp.log1p(jnp.exp(jnp.sin(x) * jnp.tanh(x))) * jnp.cos(x))

    assert kinds(compiled(adlib.grad(f), cuda, random(300))) == [Group]
    assert "sinf(" in compiled(f, cuda, random(300)).cuda


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize("shape", [(300, 40), (7, 5000), (5000, 7), (1, 9), (9, 1), (40000, 1)])
def test_sums(shape, axis, cuda):
    compiled(lambda x: jnp.sum(jnp.sin(x), axis=axis), cuda, random(*shape))


def test_few_long_rows_are_cut_into_parts(cuda):
    program = compiled(lambda x: jnp.sum(x * x), cuda, random(100_001))
    first, second = launches(program)
    assert first.blocks > 8 and second.name == f"{first.name}_end" and second.partials


def test_several_sets_of_axes_in_one_group(cuda):
    f = lambda x: (jnp.sum(x, 0), jnp.sum(x, 1), jnp.max(x), jnp.prod(x[:, :3], 1), x + 1)  # noqa: E731
    program = compiled(f, cuda, random(30, 100) / 4)
    assert "max" in program.cuda


@pytest.mark.parametrize("reduce", [jnp.any, jnp.all, jnp.max, jnp.min])
def test_reductions_of_bools(reduce, cuda):
    compiled(lambda x: reduce(x > 2.5, axis=1).astype(jnp.float32), cuda, random(30, 100))


def test_nan_and_signed_zeros_in_extrema(cuda):
    x = np.float32([[np.nan, 1], [-0.0, 0.0], [-np.inf, np.inf]])
    program = compiled(lambda x: (jnp.max(x, 1), jnp.min(x, 1)), cuda, x)
    outs = program.function(cuda.asarray(x))
    assert np.signbit(outs[1].get()[1]) and not np.signbit(outs[0].get()[1])


def normalized(x):
    centred = x - jnp.mean(x, 1, keepdims=True)
    return centred / jnp.sqrt(jnp.mean(centred**2, 1, keepdims=True) + 1e-5)


ROWS = {
    "softmax": lambda x: adlib.nn.softmax(x, axis=1),
    "log_softmax": adlib.nn.log_softmax,
    "logsumexp": lambda x: adlib.nn.logsumexp(x, axis=1),
    "normalized": normalized,
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_in_one_pass(name, cuda):
    f = ROWS[name]
    program = compiled(f, cuda, random(300, 1000))
    assert kinds(program) == [Region] and len(launches(program)) == 1
    assert "__shared__ float s" in program.cuda  # what only the row needs
    compiled(adlib.grad(lambda x: jnp.sum(jnp.sin(f(x)))), cuda, random(300, 1000))


def test_rows_of_three_axes(cuda):
    compiled(lambda x: adlib.nn.softmax(x, axis=-1), cuda, random(4, 50, 200))


def test_products_are_cublas_and_what_is_around_them_is_fused(cuda):
    def layer(x, w, b):
        return jnp.tanh(x @ w + b) * 2

    program = compiled(layer, cuda, random(80, 50), random(50, 70), random(70))
    assert kinds(program) == [Dot, Group]


def test_views_take_no_kernel(cuda):
    program = compiled(lambda x: (x.T[::-1, 1:] + 1) * 2, cuda, random(30, 20))
    assert kinds(program) == [Group] and len(launches(program)) == 1


def test_gathers_and_iota(cuda):
    index = jnp.array([3, 1, 1, 0])
    compiled(lambda x: x[index] * jnp.arange(5.0), cuda, random(6, 5))


def test_complex_and_16_bit_numbers(cuda):
    z = (random(9, 4) + 1j * random(9, 4, seed=1)).astype(np.complex64)
    compiled(lambda z: (jnp.sum(jnp.exp(z) * z, 0), jnp.abs(z)), cuda, z)
    x = random(50).astype(np.float16)
    closed = adlib.make_jaxpr(lambda x: jnp.tanh(x) * 3)(x)
    (out,) = GpuProgram(closed, cuda).function(cuda.asarray(x))
    np.testing.assert_allclose(out.get(), np.asarray(jnp.tanh(x) * 3), rtol=2e-3)


def test_empty_arrays(cuda):
    compiled(lambda x: (x + 1, jnp.sum(x, 0), jnp.sum(x, 1)), cuda, random(0, 5))
    compiled(lambda x: (x + 1, jnp.sum(x, 0), jnp.sum(x, 1)), cuda, random(5, 0))


def test_arrays_that_do_not_begin_where_vectors_do(cuda):
    closed = adlib.make_jaxpr(lambda x: x + 1)(random(8))
    whole = random(9)
    (out,) = GpuProgram(closed, cuda).function(cuda.asarray(whole[1:]))
    np.testing.assert_array_equal(out.get(), whole[1:] + 1)
    strided = random(16)[::2]
    (out,) = GpuProgram(closed, cuda).function(cuda.asarray(strided))
    np.testing.assert_array_equal(out.get(), strided + 1)


def test_jit_runs_kernels(cuda, monkeypatch):
    made = []
    monkeypatch.setattr(
        program, "GpuProgram", lambda *args: made.append(GpuProgram(*args)) or made[-1]
    )
    x = adlib.device_put(random(50), "gpu")
    f = adlib.jit(lambda x: jnp.sin(x) * 2)
    for _ in range(3):
        assert f(x).tolist() == pytest.approx((np.sin(np.asarray(x)) * 2).tolist(), rel=1e-5)
    assert len(made) == 1 and kinds(made[0]) == [Group]
    gradient = adlib.jit(adlib.grad(lambda x: jnp.sum(jnp.tanh(x) ** 2)))(x)
    wanted = adlib.grad(lambda x: jnp.sum(jnp.tanh(x) ** 2))(jnp.asarray(np.asarray(x)))
    np.testing.assert_allclose(np.asarray(gradient), np.asarray(wanted), rtol=1e-5, atol=1e-6)


def test_loops_keep_their_arrays_there(cuda):
    x = adlib.device_put(random(5), "gpu")

    def step(carry, _):
        carry = jnp.tanh(carry) + 0.1
        return carry, jnp.sum(carry)

    f = adlib.jit(lambda x: adlib.lax.scan(step, x, None, length=4))
    (last, sums), (wanted, wanted_sums) = f(x), f(jnp.asarray(np.asarray(x)))
    assert type(last._value) is not np.ndarray
    np.testing.assert_allclose(np.asarray(last), np.asarray(wanted), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(sums), np.asarray(wanted_sums), rtol=1e-5)


def test_a_failure_of_the_compiler_loses_no_result(cuda, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("out of registers")

    monkeypatch.setattr(cuda, "RawModule", broken)
    x = adlib.device_put(random(5), "gpu")
    with pytest.warns(RuntimeWarning, match="out of registers"):
        y = adlib.jit(lambda x: jnp.cos(x) + 1)(x)
    assert type(y._value) is not np.ndarray
    np.testing.assert_allclose(np.asarray(y), np.cos(np.asarray(x)) + 1, rtol=1e-6)


def test_the_text_needs_no_gpu():
    program = GpuProgram(adlib.make_jaxpr(lambda x: x + 1)(random(8)))
    assert "__global__ void step0" in program.cuda


def test_rows_of_a_stack_begin_anywhere(cuda):
    xs = random(6, 5)  # rows of 20 bytes

    def step(carry, x):
        carry = jnp.tanh(carry + x)
        return carry, carry * 2

    program = compiled(lambda xs: adlib.lax.scan(step, jnp.zeros(5), xs), cuda, xs)
    assert Control in kinds(program)
    xs = random(6, 8)  # of 32
    program = compiled(lambda xs: adlib.lax.scan(step, jnp.zeros(8), xs), cuda, xs)
    assert "v[4]" in program.cuda


def test_rows_are_read_several_elements_at_once(cuda):
    x, bias, scale = random(37, 24), random(24), random(37, 1)
    program = compiled(lambda x, b, s: jnp.tanh(x + b) * s, cuda, x, bias, scale)
    assert program.cuda.count("v[4]") == 3  # all but what is one number for a row
    odd = compiled(lambda x, b: x + b, cuda, random(37, 23), random(23))
    assert "v[4]" not in odd.cuda and "v[2]" not in odd.cuda
    halves = compiled(lambda x, b: x + b, cuda, random(37, 6), random(6))
    assert "v[2]" in halves.cuda and "v[4]" not in halves.cuda
    compiled(lambda x: x[1:, 4:] * x[:-1, :-4] + x[1:, 1:-3], cuda, random(9, 20))


def test_constants_on_the_gpu(cuda, recwarn):
    """Constants are folded, inlined and held wherever they are, and wherever arrays are made."""
    number, vector = adlib.device_put((jnp.float32(3.0), jnp.asarray(random(5))), "gpu")
    matrix = adlib.device_put(jnp.eye(5), "gpu")
    scaled = adlib.jit(lambda x: x * number + vector)

    def f(x):
        def step(c, _):
            return scaled(c) / number + jnp.sin(matrix @ c) * jnp.float32(2.0), jnp.sum(c) * number

        folded = jnp.exp(jnp.arange(5.0)) + jnp.triu(jnp.full((5, 5), 2.0))[0]
        return adlib.lax.scan(step, x * folded, None, length=3)

    x = random(5, seed=1)
    with adlib.config.override(jax_platform_name="gpu", jit_backend="python"):
        wanted = [np.asarray(leaf) for leaf in f(adlib.device_put(x, "gpu"))]
    with adlib.config.override(jax_platform_name="gpu"):
        jitted = adlib.jit(f)
        for _ in range(3):
            found = jitted(adlib.device_put(x, "gpu"))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-5)
    assert not [w for w in recwarn if "compiler failed" in str(w.message)]
