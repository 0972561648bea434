"""Long programs: work that grows in proportion, equal parts that are written once.

Counted, not timed: ``python -m benchmarks.compile_time`` measures.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.compile import engine, native, program
from adlib.compile.program import Compiled
from adlib.compile.repeats import Repeat, structure
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import Log, _cached
from adlib.core.program import program as reference

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")


def chain(rounds):
    def f(x):
        for _ in range(rounds):
            x = jnp.sin(x) * 1.01
        return x

    return f


def layers(count):
    def f(w, x):
        for _ in range(count):
            x = jnp.tanh(w @ x)
        return jnp.sum(x)

    return f


def compiled(fun, *args):
    closed = adlib.make_jaxpr(fun)(*args)
    made = Compiled(closed)
    raw = [np.asarray(a) for a in args]
    for got, wanted in zip(made.function(*raw), reference(closed, np)(*raw), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    return made


@pytest.fixture
def written(monkeypatch):
    """The groups whose loops are written."""
    found = []

    class Counted(native.GroupWriter):
        def __init__(self, schedule, number, name):
            found.append(number)
            super().__init__(schedule, number, name)

    monkeypatch.setattr(native, "GroupWriter", Counted)
    return found


# ------------------------------------------------------------------ equal groups


def test_equal_layers_are_one_function(written):
    w, x = jnp.full((6, 6), 0.2), jnp.arange(6.0)
    few = compiled(layers(20), w, x)
    count, lines = len(written), few.llvm.count("\ndefine ")
    written.clear()
    many = compiled(layers(200), w, x)
    assert len(written) <= count
    assert many.llvm.count("\ndefine ") <= lines + 180 // 20
    parts = [part for segment in many.segments.values() for part, _, _ in segment.parts]
    assert sum(isinstance(part, Repeat) for part in parts) >= 150


def test_gradients_of_layers_too(written):
    w, x = jnp.full((6, 6), 0.2), jnp.arange(6.0)
    compiled(adlib.grad(layers(30)), w, x)
    count = len(written)
    written.clear()
    compiled(adlib.grad(layers(150)), w, x)
    assert len(written) <= count + 2


def structures(fun, *args):
    schedule = Schedule(program.simplify(adlib.make_jaxpr(fun)(*args)))
    groups = [step for step in schedule.steps if hasattr(step, "members")]
    return [structure(schedule, group)[0] for group in groups]


@pytest.mark.parametrize(
    "first, second",
    [
        (lambda x: x + 1.0, lambda x: x + 2.0),
        (lambda x: x * 1.0j, lambda x: x * 2.0j),
        (lambda x: 0.0 - x, lambda x: -0.0 - x),
        (lambda x: x[0] * x, lambda x: x[1] * x),
        (lambda x: jnp.sum(x, 0), lambda x: jnp.sum(x, 1)),
        (lambda x: jnp.sum(x, 0), lambda x: jnp.max(x, 0)),
        (lambda x: x + x.T, lambda x: x + x),
        (lambda x: jnp.clip(x, 0, 1), lambda x: jnp.clip(x, 0, 2)),
        (lambda x: jnp.exp(x) + jnp.sin(x), lambda x: (jnp.exp(x) + jnp.sin(x), jnp.sin(x))),
    ],
)
def test_what_differs_has_another_structure(first, second):
    x = jnp.ones((3, 3))
    assert structures(first, x) == structures(lambda y: first(y), x)
    assert structures(first, x) != structures(second, x)


def test_operands_in_another_order_have_another_structure():
    x, y = jnp.ones(4), jnp.ones(4)
    assert structures(lambda x, y: x - y * x, x, y) != structures(lambda x, y: x - y * y, x, y)
    # which variables they are does not count: they are what the function is called with
    assert structures(lambda x, y: x - y, x, y) == structures(lambda x, y: y - x, x, y)


def test_calls_of_one_function_have_their_own_variables():
    """The same structure with the variables in all orders, and one of them twice."""

    def f(x, y, z):
        parts = []
        for a, b in [(x, y), (y, x), (z, z), (x, z)]:
            parts.append(jnp.cumsum(jnp.sin(a) - b * 2.0))  # what is cumulated ends a group
        return parts

    rng = np.random.default_rng(0)
    compiled(f, *[jnp.asarray(rng.standard_normal(50).astype(np.float32)) for _ in range(3)])


def test_a_function_that_writes_over_its_operand_is_not_shared():
    """Donated memory changes the first of two equal groups."""

    def step(x, y):
        return jnp.cumsum(jnp.sin(x) * 2.0), jnp.sin(y) * 2.0, jnp.sin(x + y) * 2.0

    f = adlib.jit(step, donate_argnums=(1,))
    x = np.arange(3000, dtype=np.float32)
    for _ in range(3):
        got = f(jnp.asarray(x), jnp.asarray(x + 1))
        np.testing.assert_allclose(got[1], np.sin(x + 1) * 2, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(got[2], np.sin(2 * x + 1) * 2, rtol=1e-3, atol=1e-3)


# ------------------------------------------------------------------ long programs


def visits(fun, *args):
    """Equations that the passes look at, for each equation of the program."""
    closed, log = adlib.make_jaxpr(fun)(*args), Log()
    _cached(closed, log)
    return log.visits / len(closed.eqns)


def test_passes_look_at_each_equation_a_bounded_number_of_times():
    x = jnp.ones(3)
    few, many = visits(chain(100), x), visits(chain(2000), x)
    assert many <= few * 1.1


def test_no_recursion_limit_is_hit():
    """10,000 equations that each depend on the one before, with room for few frames."""
    x = jnp.full(3, 0.5)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400 + len_of_stack())
    try:
        made = compiled(adlib.grad(lambda x: jnp.sum(chain(2000)(x))), x)
        long = adlib.jit(chain(5000))(x)
    finally:
        sys.setrecursionlimit(limit)
    assert len(made.simplified.eqns) > 5000
    assert np.isfinite(np.asarray(long)).all()


def len_of_stack():
    frame, count = sys._getframe(), 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count


def test_long_lists_of_steps_are_cut():
    """LLVM's work on one function grows faster than its length."""
    w, x = jnp.full((4, 4), 0.2), jnp.arange(4.0)
    made = compiled(layers(400), w, x)
    functions = made.llvm.split("\ndefine ")
    assert max(text.count("call ") for text in functions) <= 100
