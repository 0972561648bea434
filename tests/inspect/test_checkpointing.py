"""Checkpoints that are put in: what they cost and save is what the engine does."""

import tracemalloc

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.core.jaxpr import eval_jaxpr
from adlib.inspect import memory_record
from adlib.inspect.checkpointing import (
    checkpoint_ends,
    checkpoint_trial,
    part_count,
    segment_sizes,
    with_checkpoints,
)
from adlib.inspect.programs import trace_program

N = 1000


def chain(x):
    for _ in range(8):
        x = jnp.sin(x)
    return x.sum()


def mixed(x):
    y = jnp.exp(x)
    z = y * x
    w = jnp.sin(z).reshape(-1, 10)
    v = w * y.reshape(-1, 10) + 1.0
    return (v * jnp.tanh(v)).sum()


def layers(params, x):
    for w, b in params:
        x = jnp.tanh(x @ w + b)
    return (x**2).mean()


LAYERS = [(np.ones((8, 8), np.float32) * 0.1, np.ones(8, np.float32)) for _ in range(3)]
PROGRAMS = {
    "chain": (chain, (jnp.ones(N),)),
    "mixed": (mixed, (jnp.ones(N),)),
    "layers": (layers, (LAYERS, jnp.ones((50, 8)))),
    "own": (lambda x: jnp.sin(adlib.checkpoint(chain)(x) * x).sum(), (jnp.ones(N),)),
    "jit": (lambda x: adlib.checkpoint(adlib.jit(chain))(x) + adlib.jit(chain)(x), (jnp.ones(N),)),
}


@adlib.custom_vjp
def clipped(x):
    return x * 1.0


clipped.defvjp(lambda x: (x * 1.0, None), lambda _, ct: (jnp.clip(ct, -1.0, 1.0),))
X = jnp.linspace(0.3, 1.2, N)
PLACES = {
    **{name: PROGRAMS[name] for name in ("chain", "mixed", "layers")},
    "where": (lambda x: jnp.where(x > 0.5, x, x**2).sum(), (X,)),
    "sort": (lambda x: (jnp.sort(x) * X).sum(), (X,)),
    "maximum": (jnp.max, (X,)),
    "scan": (lambda x: adlib.lax.scan(lambda c, y: (c * y, c + y), 1.0, x)[1].sum(), (X,)),
    "softmax": (lambda x: adlib.nn.log_softmax(x)[0], (X,)),
    "stopped": (lambda x: (x - adlib.lax.stop_gradient(jnp.sin(jnp.sin(x)))).sum(), (X,)),
    "read twice": (lambda x: x[0] * 1.0 + 0 * x.sum(), (X,)),
    "two results": (lambda x: (x.sum(), x * 2), (X,)),
    "custom_vjp": (lambda x: clipped(x * 2).sum(), (X,)),
    "complex": (lambda x: jnp.abs(jnp.fft.fft(x)).sum(), (X,)),
    "updates": (lambda x: x.at[1].set(x[0] * 2).sum(), (X,)),
}


@pytest.mark.parametrize("name", PLACES)
def test_every_place_of_a_record_is_what_a_run_with_the_checkpoint_needs(name):
    function, args = PLACES[name]
    program = trace_program(function, args, {})
    for place in memory_record(function, args).checkpoints:
        trial = checkpoint_trial(program, place.equations)
        # constants that were numbers in the program may become arrays of it
        assert abs(trial.peak_bytes - place.peak_bytes) <= 8
        assert (trial.recomputed, trial.recomputed_flops) == (place.recomputed, place.flops)


@pytest.mark.parametrize("segments", [1, 2, 3])
def test_a_trial_is_the_record_of_the_function_that_a_user_writes(segments):
    def part(rounds):
        def run(x):
            for _ in range(rounds):
                x = jnp.sin(x)
            return x

        return run

    def written(x):
        for _ in range(segments):
            x = adlib.checkpoint(part(6 // segments))(x)
        return part(2)(x).sum()

    x = jnp.ones(N)
    by_hand = memory_record(written, (x,))
    trial = checkpoint_trial(trace_program(chain, (x,), {}), 6, segments)
    assert trial.moments == by_hand.moments and trial.peak_bytes == by_hand.peak_bytes
    assert trial.recomputed == by_hand.recomputed > 0
    lives = [[(b.bytes, b.role, b.first, b.last) for b in r.buffers] for r in (trial, by_hand)]
    assert lives[0] == lives[1]


def test_a_trial_of_layers_is_the_record_of_checkpointed_layers():
    layer = adlib.checkpoint(lambda x, w, b: jnp.tanh(x @ w + b))

    def written(params, x):
        for w, b in params:
            x = layer(x, w, b)
        return (x**2).mean()

    args = (LAYERS, jnp.ones((50, 8)))
    by_hand = memory_record(written, args)
    trial = checkpoint_trial(trace_program(layers, args, {}), 12, 3)
    assert [(m.sweep, m.bytes) for m in trial.moments] == [
        (m.sweep, m.bytes) for m in by_hand.moments
    ]


def measured_peak(function, *args):
    gradient = adlib.grad(function)
    for _ in range(3):
        gradient(*args)
    tracemalloc.start()
    try:
        gradient(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("equations", "segments"), [(4, 1), (4, 2), (8, 3), (9, 1), (9, 3)])
def test_the_peak_of_a_trial_is_what_the_engine_allocates(equations, segments):
    x = jnp.ones(200_000)
    program = trace_program(chain, (x,), {})
    closed = with_checkpoints(program.closed, segment_sizes(program.closed, equations, segments))
    trial = checkpoint_trial(program, equations, segments)
    measured = measured_peak(lambda x: eval_jaxpr(closed.jaxpr, closed.consts, x)[0], x)
    assert measured == pytest.approx(trial.peak_bytes - trial.argument_bytes, rel=0.02)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_cut_program_computes_the_same_and_keeps_its_steps(name):
    function, args = PROGRAMS[name]
    program = trace_program(function, args, {})
    ends = checkpoint_ends(program.closed)
    closed = with_checkpoints(program.closed, [len(ends) // 2])
    values = [value for value in program.values]
    (plain,) = eval_jaxpr(program.closed.jaxpr, program.closed.consts, *values)
    (cut,) = eval_jaxpr(closed.jaxpr, closed.consts, *values)
    np.testing.assert_allclose(plain, cut, rtol=1e-6)
    trial, record = checkpoint_trial(program, ends[-2]), memory_record(function, args)
    assert trial.steps == record.steps and trial.checkpoints == ()


def test_names_stay_those_of_the_program():
    program = trace_program(chain, (jnp.ones(N),), {})
    trial = checkpoint_trial(program, 5, 2)
    assert "_" not in {buffer.name for buffer in trial.buffers}
    kept = {residual.name for residual in trial.residuals if residual.extra}
    assert kept == {"c", "sin_5′", "sin_6′", "sin_7′"}
    again = [b.name for b in trial.buffers if b.role == "remade" and b.needed_by]
    assert "sin_0′" in again and "sin_4′" in again


def test_a_function_with_checkpoints_of_its_own_counts_them_open():
    function, args = PROGRAMS["own"]
    record = memory_record(function, args)
    assert record.checkpoints == () and record.recomputed == 8
    assert {moment.sweep for moment in record.moments} == {"forward", "again", "reverse"}
    program = trace_program(function, args, {})
    assert checkpoint_ends(program.closed)[0] == 9
    assert part_count(program.closed, 10) == 2


@pytest.mark.parametrize(
    ("equations", "segments", "text"),
    [
        (0, 1, "can hold the first 1 to 9 equations of this program; it was asked for 0."),
        (10, 1, "it was asked for 10."),
        (3, 4, "3 equations can be cut into 1 to 3 segments; it was asked for 4."),
    ],
)
def test_what_cannot_be_cut_is_said(equations, segments, text):
    program = trace_program(chain, (jnp.ones(N),), {})
    with pytest.raises(ValueError) as error:
        checkpoint_trial(program, equations, segments)
    assert text in str(error.value)


def test_a_cut_within_a_checkpoint_is_refused():
    program = trace_program(*PROGRAMS["own"], {})
    with pytest.raises(ValueError, match="end inside of a checkpoint that the program has"):
        checkpoint_trial(program, 4)
