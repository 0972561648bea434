"""Which group computes what: equations that move to their readers, transposed results, directions
in which memory is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adlib
import adlib.numpy as jnp
from adlib import lax, nn
from adlib.compile import regions
from adlib.compile.program import Compiled
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import simplify
from adlib.compile.steps import Call, Dot, Group, Region
from tests.compile.test_every_primitive import compile_and_compare


@pytest.fixture(autouse=True)
def apart(monkeypatch):
    """Every group a step of its own."""
    monkeypatch.setattr(regions, "LEAST_SHARED", 1 << 60)
    with adlib.config.override(jit_backend="native"):
        yield


def normal(*shape):
    rng = np.random.default_rng(sum(shape))
    return jnp.asarray(rng.standard_normal(shape).astype(np.float32))


def scheduled(f, *args):
    return Schedule(simplify(adlib.make_jaxpr(f)(*args)))


def agree(f, *args, factor=8):
    compile_and_compare(adlib.make_jaxpr(f)(*args), [a._value for a in args], factor=factor)


def written(schedule):
    """Shapes of what groups write."""
    return [
        v.aval.shape
        for s in schedule.steps
        if type(s) is Group
        for e in s.eqns
        for v in e.outvars
        if v in schedule.outside or schedule.uses.get(v)
    ]


# ------------------------------------------------------------- moving to the reader


def test_a_slope_is_computed_where_the_reverse_sweep_reads_it():
    """cos x joins the first group, where x is read; only the one after the product needs it."""

    def f(x, w):
        return (jnp.sin(x) @ w).sum()

    x, w = normal(80, 90), normal(90, 70)
    schedule = scheduled(lambda x, w: adlib.grad(f, (0, 1))(x, w), x, w)
    cosines = [s for s in schedule.steps if type(s) is Group and any(
        e.primitive.name == "cos" for e in s.eqns)]  # fmt: skip
    (group,) = cosines
    assert any(e.primitive.name == "mul" for e in group.eqns)
    assert any("moved to where it is read" in text for _, text in schedule.reasons)
    agree(lambda x, w: adlib.grad(f, (0, 1))(x, w), x, w)


def test_a_product_with_a_vector_is_computed_twice():
    def f(w, x):
        y = w * x
        return y - y.sum(0)

    w, x = normal(70, 80), normal(80)
    schedule = scheduled(f, w, x)
    assert any("computed twice" in text for _, text in schedule.reasons)
    assert written(schedule) == [(80,), (70, 80)]
    agree(f, w, x)


def test_long_formulas_are_computed_once():
    def f(w):
        y = jnp.tanh(w)
        return y - y.sum(0)

    w = normal(70, 80)
    schedule = scheduled(f, w)
    assert sorted(written(schedule)) == [(70, 80), (70, 80), (80,)]
    count = sum(e.primitive.name == "tanh" for s in schedule.steps for e in s.eqns)
    assert count == 1
    agree(f, w)


def test_what_costs_more_to_read_stays():
    """a + b is one array to read instead of two: a product, which only its own group has read,
    would have to be written for it."""

    def f(a, b):
        c = jnp.sin(a) * jnp.cos(b)
        return c - c.sum()

    a, b = normal(70, 80), normal(70, 80)
    schedule = scheduled(f, a, b)
    first = schedule.steps[0]
    assert [e.primitive.name for e in first.eqns].count("mul") == 1
    assert all(e.primitive.name != "mul" for e in schedule.steps[-1].eqns)
    agree(f, a, b)


def test_results_and_what_others_read_stay():
    def f(x):
        y = x + 1
        z = jnp.sort(y, 0)
        return y, z, y * z

    x = normal(40, 50)
    schedule = scheduled(f, x)
    assert not any("moved" in text for _, text in schedule.reasons)
    agree(f, x)


def test_groups_that_are_left_empty_are_no_steps():
    def f(x, w):
        y = x * 2
        return y * (w @ w).sum()

    x, w = normal(40, 50), normal(50, 50)
    schedule = scheduled(f, x, w)
    assert all(s.eqns for s in schedule.steps if type(s) is Group)
    assert any(type(s) in (Dot, Call) or s.space == (50, 50, 50) for s in schedule.steps)
    agree(f, x, w)


def test_checkpoints_are_not_undone():
    """What a checkpoint computes again stays behind its barrier."""

    def layer(x):
        return jnp.sin(jnp.sin(x) * 2)

    def f(x):
        for _ in range(3):
            x = adlib.checkpoint(layer)(x)
        return x.sum()

    agree(adlib.grad(f), normal(50, 60))


# ------------------------------------------------------------- transposed results


def test_a_transposed_result_is_written_as_it_lies():
    def f(x, y):
        return (x.T * y).T

    x, y = normal(200, 300), normal(200)
    run = Compiled(adlib.make_jaxpr(f)(x, y))
    assert "transpose" not in run.source
    (step,) = run.schedule.steps
    assert len(step.turned) == 1
    (got,) = run.function(x._value, y._value)
    assert got.flags.c_contiguous
    agree(f, x, y)


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1)])
def test_every_permutation(order):
    def f(x):
        y = x * 2 + 1
        return jnp.transpose(y, order), y.sum(1)

    agree(f, normal(20, 30, 40))


def test_transposes_of_what_is_needed_otherwise_are_views():
    def f(x):
        y = x + 1
        return y, y.T, (y * 2).T, x.T, jnp.sort(y + 3, 0).T

    x = normal(150, 160)
    run = Compiled(adlib.make_jaxpr(f)(x))
    assert not any(s.turned for s in run.schedule.steps if type(s) is Group)
    agree(f, x)


def test_what_is_read_twice_is_not_written_transposed():
    def f(x, y):
        z = x.T * y
        return z.T, z

    x, y = normal(150, 160), normal(150)
    agree(f, x, y)
    agree(lambda x, y: (f(x, y)[0], jnp.sort(f(x, y)[1], 0)), x, y)
    agree(lambda x, y: (f(x, y)[0], f(x, y)[1][::2], f(x, y)[0]), x, y)


def test_a_transpose_that_is_two_results():
    def f(x):
        y = (x + 1).T
        return y, y, y[::2]

    agree(f, normal(150, 160))


# ------------------------------------------------------------------- directions


def test_sums_across_have_loops_of_their_own():
    def f(w, v):
        return w @ v, w.T.max(1) - w.T.min(1)

    w, v = normal(200, 200), normal(200)
    schedule = scheduled(f, w, v)
    assert [s.across for s in schedule.steps][:2] == [False, True]
    agree(f, w, v)


def test_a_vector_and_a_matrix_are_read_as_the_matrix_lies():
    """Products from both sides pass over it once."""

    def f(w, x, y):
        return w @ x, w.T @ y, y @ jnp.tanh(w), w.sum(0)

    w, x, y = normal(200, 300), normal(300), normal(200)
    assert [s.space for s in scheduled(f, w, x, y).steps] == [(200, 300)]
    agree(f, w, x, y)


def test_a_softmax_layer_jacobian_passes_over_the_weights_three_times():
    """Once for the product, once for the sums over rows, once for the result."""

    def layer(x):
        return nn.softmax(w @ x)

    w, x = normal(300, 200), normal(200)
    for jacobian in (adlib.jacfwd(layer), adlib.jacrev(layer)):
        schedule = scheduled(jacobian, x)
        wide = [s for s in schedule.steps if type(s) is Group and np.prod(s.space) == 60_000]
        assert len(wide) == 3
        agree(jacobian, x, factor=40)


@pytest.mark.parametrize("shape", [(64, 96), (640, 480), (768, 1024), (100, 1031), (3, 128, 96)])
@pytest.mark.parametrize("dtype", ["float32", "bool", "int8", "float16", "complex64"])
def test_tiles_go_through_a_buffer(shape, dtype):
    rng = np.random.default_rng(0)
    x = jnp.asarray((rng.standard_normal(shape) * 3).astype(dtype))
    other = shape[:-2] + shape[:-3:-1]
    y = jnp.asarray((rng.standard_normal(other) * 3).astype(dtype))

    def f(x, y):
        back = jnp.swapaxes(x, -1, -2)
        return jnp.where(back == y, back, y), jnp.logical_or(back, y)

    run = Compiled(adlib.make_jaxpr(f)(x, y))
    parts = [p for s in run.segments.values() for p, _, _ in s.parts if hasattr(p, "writer")]
    local = [b for p in parts for b in p.writer.kernel.buffers if b.local]
    assert bool(local) is (1031 not in shape), "tiles of 8 to 32 elements divide both axes"
    agree(f, x, y)


# ------------------------------------------------------------------ random programs


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_programs_of_matrices(data):
    rows, columns = data.draw(st.integers(2, 90)), data.draw(st.integers(2, 90))
    regions.LEAST_SHARED = data.draw(st.sampled_from([0, 1 << 60]))
    x, v = normal(rows, columns), normal(columns)
    count = data.draw(st.integers(3, 14))

    def f(x, v):
        values = [x]
        for _ in range(count):
            a = values[data.draw(st.integers(0, len(values) - 1))]
            b = values[data.draw(st.integers(0, len(values) - 1))]
            kind = data.draw(st.sampled_from("sin mask scale rows columns both matrix".split()))
            values.append({
                "sin": lambda a=a: jnp.sin(a),
                "mask": lambda a=a, b=b: jnp.where(a > 0, b, 0.5),
                "scale": lambda a=a: a * v,
                "rows": lambda a=a, b=b: a + (b @ v)[:, None] * 0.1,
                "columns": lambda a=a, b=b: a - (b.T @ b.sum(1)) * 0.01,
                "both": lambda a=a, b=b: a * 0.5 + b,
                "matrix": lambda a=a, b=b: (a @ b.T) @ b * 0.01,
            }[kind]())  # fmt: skip
        z = values[-1]
        return z.T, z * 2, values[len(values) // 2].T, (z > 1).T, lax.reduce_max(z, (0,))

    agree(f, x, v, factor=2000)


def test_regions_and_moves_together(monkeypatch):
    monkeypatch.setattr(regions, "LEAST_SHARED", 0)
    monkeypatch.setattr(regions, "BLOCK", 512)

    def f(x, w):
        return (nn.softmax(x) @ w).sum() + nn.log_softmax(x).max(0).sum()

    x, w = normal(50, 40), normal(40, 30)
    schedule = scheduled(adlib.grad(f), x, w)
    assert any(type(s) is Region for s in schedule.steps)
    agree(adlib.value_and_grad(f), x, w)
