"""Timing with a clock of our own, so that the numbers are known."""

import itertools

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.timing import Timing, TimingResult, TimingRow, measure, time_call


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
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp", "grad"]
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
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp", "grad"]
    only = time_call(call_of(lambda n: n + 1, np.array([1])), number=1, repeat=1, clock=ticking())
    assert [row.name for row in only.rows] == ["f"]
    assert only.notes == ("No argument is a float, so there is nothing to differentiate.",)


def test_keywords_and_pytrees_are_differentiated():
    def f(params, *, scale):
        return (params["w"] * scale).sum()

    call = call_of(f, {"w": np.ones(3)}, scale=2.0)
    result = time_call(call, number=1, repeat=1, clock=ticking())
    assert [row.name for row in result.rows] == ["f", "jvp", "vjp", "grad"]


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


def test_multiples_and_the_table():
    def timing(seconds):
        return Timing(10 * seconds, (seconds,) * 3, 1)

    rows = (
        TimingRow("f", timing(2e-6), timing(1e-6)),
        TimingRow("grad", timing(9e-6), timing(2.5e-6)),
    )
    result = TimingResult("f(x)", rows)
    assert result.multiple("grad") == pytest.approx(4.5)
    assert result.multiple("grad", jitted=True) == pytest.approx(2.5)
    assert repr(result) == (
        "f(x): seconds per call, median of 3 repeats\n"
        "        eager                     jitted\n"
        "        first     then             first     then\n"
        "f     20.0 µs  2.00 µs  1.0 × f  10.0 µs  1.00 µs  1.0 × f\n"
        "grad  90.0 µs  9.00 µs  4.5 × f  25.0 µs  2.50 µs  2.5 × f"
    )
    with pytest.raises(KeyError, match="no row 'vjp'; there are f, grad"):
        result["vjp"]


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
