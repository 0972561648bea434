"""Memory records: sizes of residuals, peaks, and what checkpoints would do."""

import json
import tracemalloc

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import memory_record

N = 1000


def chain(x):
    for _ in range(8):
        x = jnp.sin(x)
    return x.sum()


def test_each_sine_keeps_its_cosine():
    record = memory_record(chain, (np.ones(N),))
    kept = [residual for residual in record.residuals if residual.extra]
    assert [r.name for r in kept] == [f"sin_{i}′" for i in range(8)]
    assert {r.bytes for r in kept} == {4 * N}
    assert {r.code for r in kept} == {"x = jnp.sin(x)"}
    line = chain.__code__.co_firstlineno + 2
    assert {r.source for r in kept} == {f"test_memory.py:{line}"}


def test_the_profile_rises_forward_and_falls_in_reverse():
    record = memory_record(chain, (np.ones(N),))
    held = [moment.residual_bytes for moment in record.moments]
    assert held[:8] == [4 * N * (i + 1) for i in range(8)]
    assert held[-8:] == [4 * N * (i + 1) for i in reversed(range(8))]
    # alone, the chain needs its argument, one operand and one result
    assert record.primal_peak_bytes == 3 * 4 * N
    # the last sine: the argument, eight cosines, an operand and a result, beside a few scalars
    assert 0 <= record.peak_bytes - (1 + 8 + 2) * 4 * N <= 8


def test_arguments_and_results_cost_nothing_extra():
    record = memory_record(lambda x, y: x * y, (np.ones(N), np.ones(N)))
    assert [(r.name, r.made_by, r.extra) for r in record.residuals] == [
        ("x", "input", False),
        ("y", "input", False),
    ]
    record = memory_record(jnp.exp, (np.ones(N),))
    assert [(r.name, r.extra) for r in record.residuals] == [("b", False)]


def test_a_buffer_needed_twice_is_counted_once():
    record = memory_record(lambda x: (jnp.exp(x) * jnp.exp(x)).sum(), (np.ones(N),))
    shared = memory_record(lambda x: (lambda e: (e * e).sum())(jnp.exp(x)), (np.ones(N),))
    assert len([r for r in record.residuals if r.extra]) == 2
    (only,) = [r for r in shared.residuals if r.extra]
    assert only.needed_by == ("exp_0", "mul_0")


def test_views_cost_nothing():
    record = memory_record(
        lambda x: jnp.broadcast_to(x.reshape(1, N), (50, N)).sum(), (np.ones(N),)
    )
    assert record.peak_bytes < 3 * 4 * N


def test_linear_functions_keep_nothing():
    record = memory_record(lambda x: (3.0 * x).sum() - x[0], (np.ones(N),))
    assert [r for r in record.residuals if r.extra] == []


def test_a_checkpoint_in_the_middle_lowers_the_peak():
    record = memory_record(chain, (np.ones(N),))
    best = record.best_checkpoint
    assert 3 <= best.equations <= 6 and best.peak_bytes < 0.75 * record.peak_bytes
    assert best.flops == best.equations * N
    assert [place.equations for place in record.checkpoints] == list(range(1, 10))


def test_a_real_checkpoint_keeps_only_its_argument():
    def halves(x):
        for _ in range(4):
            x = adlib.checkpoint(lambda y: jnp.sin(jnp.sin(y)))(x)
        return x.sum()

    record = memory_record(halves, (np.ones(N),))
    kept = [residual for residual in record.residuals if residual.extra]
    assert len(kept) == 3 and {r.bytes for r in kept} == {4 * N}


def measured_peak(function, x):
    """Bytes that NumPy allocates at the most while the gradient is computed, once it is warm."""
    gradient = adlib.grad(function)
    for _ in range(3):
        gradient(x)
    tracemalloc.start()
    try:
        gradient(x)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_peak_is_what_the_engine_allocates():
    x = jnp.ones(200_000)
    record = memory_record(chain, (x,))
    predicted = record.peak_bytes - record.argument_bytes
    assert measured_peak(chain, x) == pytest.approx(predicted, rel=0.02)


def test_what_no_cotangent_reaches_is_kept_all_the_same():
    def stopped(x):
        for _ in range(3):
            x = x - adlib.lax.stop_gradient(jnp.sin(jnp.sin(x)))
        return x.sum()

    x = jnp.ones(200_000)
    record = memory_record(stopped, (x,))
    predicted = record.peak_bytes - record.argument_bytes
    assert measured_peak(stopped, x) == pytest.approx(predicted, rel=0.02)


def test_the_peak_with_a_checkpoint_is_what_the_engine_allocates():
    def first(x):
        for _ in range(5):
            x = jnp.sin(x)
        return x

    def checkpointed(x):
        x = adlib.checkpoint(first)(x)
        for _ in range(3):
            x = jnp.sin(x)
        return x.sum()

    x = jnp.ones(200_000)
    record = memory_record(chain, (x,))
    (place,) = [place for place in record.checkpoints if place.equations == 5]
    predicted = place.peak_bytes - record.argument_bytes
    assert measured_peak(checkpointed, x) == pytest.approx(predicted, rel=0.02)


def test_where_nothing_helps_no_checkpoint_is_named():
    record = memory_record(lambda x: 2.0 * x, (np.ones(N),))
    assert record.best_checkpoint is None


@pytest.mark.parametrize("args", [(), (1.0,)])
def test_programs_without_equations(args):
    record = memory_record(lambda *xs: xs[0] if xs else 1.0, args)
    assert record.moments == () and record.peak_bytes == 0


def test_a_record_is_json_and_repeats():
    first, second = (memory_record(chain, (np.ones(N),)) for _ in range(2))
    assert first == second and first.version == 2
    json.dumps(first.to_json(), allow_nan=False)


def test_the_buffers_add_up_to_the_curve():
    for function in (chain, lambda x: (jnp.exp(x) * adlib.checkpoint(chain)(x)).sum()):
        record = memory_record(function, (np.ones(N),))
        for i, moment in enumerate(record.moments):
            alive = [b for b in record.buffers if b.first <= i <= b.last]
            assert sum(b.bytes for b in alive) == moment.bytes
    roles = {b.role for b in record.buffers}
    assert roles == {"argument", "value", "residual", "remade", "cotangent", "result"}


def test_a_buffer_tells_its_life():
    record = memory_record(chain, (np.ones(N),))
    (cosine,) = [b for b in record.buffers if b.name == "sin_2′"]
    assert (cosine.role, cosine.step, cosine.needed_by) == ("residual", 2, (2,))
    assert (cosine.first, cosine.last) == (2, 15)
    moment = record.moments[cosine.last]
    assert (moment.sweep, moment.step) == ("reverse", 2)
    (cotangent,) = [b for b in record.buffers if b.name == "c̄"]
    assert (cotangent.role, cotangent.step) == ("cotangent", 1)


def test_of_many_buffers_the_largest_are_kept_and_residuals_first(monkeypatch):
    monkeypatch.setattr("adlib.inspect.memory._MOST_BUFFERS", 5)
    record = memory_record(chain, (np.ones(N),))
    assert len(record.buffers) == 5 and all(b.needed_by for b in record.buffers)


def test_the_second_run_of_a_checkpoint_is_recorded():
    record = memory_record(lambda x: adlib.checkpoint(chain)(x) * 2.0, (np.ones(N),))
    sweeps = [moment.sweep for moment in record.moments]
    assert sweeps == ["forward"] * 10 + ["reverse"] + ["again"] * 8 + ["reverse"] * 9
    assert (record.recomputed, record.recomputed_flops) == (8, 8 * N)
    again = [b for b in record.buffers if b.role == "remade" and b.needed_by]
    assert [b.name for b in again] == [f"sin_{i}′" for i in range(8)]


def test_a_checkpoint_with_a_policy_is_one_equation():
    policy = adlib.checkpoint_policies.everything_saveable
    record = memory_record(adlib.checkpoint(chain, policy=policy), (np.ones(N),))
    assert [step[0] for step in record.steps] == ["remat2_0"]


def test_a_checkpoint_in_a_checkpoint():
    inner = adlib.checkpoint(lambda y: jnp.sin(jnp.sin(y)))
    record = memory_record(adlib.checkpoint(lambda x: jnp.sin(inner(x)).sum()), (np.ones(N),))
    again = [m.step for m in record.moments if m.sweep == "again"]
    # the outer second run passes through the inner one, which then runs once more
    assert again == [0, 1, 2, 0, 1]


def test_arithmetic_inside_of_loops_and_branches_counts():
    from adlib.inspect.costs import total_flops

    def loop(x):
        return adlib.lax.scan(lambda c, y: (jnp.sin(c * y), c), x, jnp.ones(7))[0]

    (eqn,) = [e for e in adlib.make_jaxpr(loop)(jnp.ones(N)).eqns if e.primitive.name == "scan"]
    assert total_flops(eqn) == 7 * 2 * N
    record = memory_record(lambda x: loop(x).sum(), (np.ones(N),))
    assert record.forward_flops == 15 * N

    def branch(x):
        return adlib.lax.cond(x[0] > 0, lambda y: jnp.sin(jnp.sin(y)), jnp.cos, x)

    (eqn,) = [e for e in adlib.make_jaxpr(branch)(jnp.ones(N)).eqns if e.primitive.name == "cond"]
    assert total_flops(eqn) == 2 * N
