"""Timing with a clock of our own, so that the numbers are known."""

import itertools

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.timing import measure, time_call
from adlib_kernel.actions.timing_result import Timing


def ticking(step: float = 1.0):
    ticks = itertools.count()
    return lambda: next(ticks) * step


def call_of(function, *args, **kwargs) -> Call:
    return Call("f(…)", function, args, kwargs)


def test_the_first_call_is_kept_apart():
    calls = []
    timing = measure(lambda: calls.append(1) or 1.0, number=4, repeat=3, clock=ticking())
    assert timing == Timing(first=1.0, repeats=(0.25, 0.25, 0.25), number=4)
    assert len(calls) == 1 + 3 * 4


def test_the_number_of_calls_fits_the_speed():
    slow = measure(lambda: 1.0, repeat=1, clock=ticking(1.0))
    fast = measure(lambda: 1.0, repeat=1, clock=ticking(1e-4))
    assert (slow.number, fast.number) == (1, 300)


def test_rows_for_a_scalar_function():
    result = time_call(call_of(lambda x: jnp.sin(x), 1.0), number=1, repeat=1, clock=ticking())
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp", "grad", "hessian"]
    assert result.notes == ()
    assert all(row.eager is not None and row.jitted is not None for row in result.rows)


def test_no_gradient_of_an_array():
    result = time_call(call_of(lambda x: x * 2, np.ones(3)), number=1, repeat=1, clock=ticking())
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp"]
    assert result.notes == ("The result is not one number, so there is no gradient.",)


def test_integers_are_not_differentiated():
    def f(x, n, table):
        assert isinstance(n, int)
        return x[table].sum() * n

    args = (np.ones(3), 2, np.array([0, 2]))
    result = time_call(call_of(f, *args), number=1, repeat=1, clock=ticking())
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp", "grad", "hessian"]
    only = time_call(call_of(lambda n: n + 1, np.array([1])), number=1, repeat=1, clock=ticking())
    assert [row.name for row in only.rows] == ["f"]
    assert only.notes == ("No argument is a float, so there is nothing to differentiate.",)


def test_keywords_and_pytrees_are_differentiated():
    def f(params, *, scale):
        return (params["w"] * scale).sum()

    call = call_of(f, {"w": np.ones(3)}, scale=2.0)
    result = time_call(call, number=1, repeat=1, clock=ticking())
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp", "grad", "hessian"]


def test_what_jit_cannot_take_is_timed_eagerly_with_a_note():
    def f(x):
        return x if x > 0 else -x

    result = time_call(call_of(f, 1.0), number=1, repeat=1, clock=ticking())
    assert result["f"].eager is not None and result["f"].jitted is None
    assert result.notes[0].startswith("f cannot be jitted: TracerBoolConversionError: ")
    assert "–" in repr(result)


def test_errors_of_the_function_come_through():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        time_call(call_of(broken, 1.0), number=1, repeat=1)


def test_the_call_is_escaped_in_html():
    result = time_call(
        Call("f('<script>')", lambda s: jnp.sin(1.0), ("<script>",), {}),
        number=1, repeat=1, clock=ticking(),
    )  # fmt: skip
    assert "<script>" not in result._repr_mimebundle_()["text/html"]


def test_times_cover_the_wait_for_the_result(monkeypatch):
    waited = []
    real = adlib.block_until_ready
    monkeypatch.setattr(adlib, "block_until_ready", lambda x: waited.append(x) or real(x))
    measure(lambda: 1.0, number=2, repeat=2, clock=ticking())
    assert len(waited) == 5


def clock_of(durations):
    """A clock by which the timed stretches take these times, one after the other."""
    now, readings = 0.0, []
    for seconds in durations:
        readings += [now, now + seconds]
        now += seconds
    return iter(readings).__next__


def test_repeats_go_on_until_they_are_stable():
    # the first call; three slow repeats among fast ones, until the middle half is narrow
    timing = measure(
        lambda: 1.0, number=1, clock=clock_of([9.0, 0.02, 0.03, 0.02, 0.01, 0.01, *[0.01] * 30])
    )
    assert timing.first == 9.0
    assert 5 < len(timing.repeats) < 25 and timing.spread <= 0.05


def test_repeats_end_where_time_does():
    timing = measure(lambda: 1.0, number=1, clock=clock_of([1.0, *[0.02, 0.04] * 50]))
    assert 5 < len(timing.repeats) < 25 and timing.spread > 0.05


def test_what_never_settles_is_named():
    # of f both the eager and the jitted series, each a first call and then repeats for 0.5 s
    clock = clock_of([0.01, 0.02, 0.06, 0.02, 0.06] * 20)
    result = time_call(call_of(lambda n: n + 1, np.array([1])), number=1, clock=clock)
    assert result.notes[-1].startswith("Still varying at the end: f eager by ")
    assert result.notes[-1].endswith("%. Is the machine busy?")


def test_tracing_is_timed_by_itself():
    result = time_call(call_of(jnp.sin, 1.0), number=1, repeat=1, clock=ticking())
    assert result["grad"].jitted.trace == 1.0 and result["grad"].eager.trace is None


def test_large_hessians_are_left_out():
    call = call_of(lambda x: x.sum(), np.ones(257))
    result = time_call(call, number=1, repeat=1, clock=ticking())
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp", "grad"]
    assert result.notes == ("The Hessian of 257 floats has 66049 entries; it is left out.",)


def test_an_interrupt_keeps_what_is_done():
    calls = itertools.count()

    def f(x):
        if next(calls) == 8:
            raise KeyboardInterrupt
        return x * 2.0

    result = time_call(call_of(f, 1.0), number=1, repeat=1, clock=ticking())
    assert [row.name for row in result.rows] == ["f", "jvp"]
    assert result["jvp"].eager is not None and result["jvp"].jitted is None
    assert result.notes == ("Interrupted while jvp was timed; what was done by then is above.",)


def test_an_interrupt_before_anything_is_done_is_an_interrupt():
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        time_call(call_of(f, 1.0), number=1, repeat=1, clock=ticking())
