"""What programs cost: operations and memory traffic, as the compiler runs them."""

import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.costs import bytes_read, bytes_written, flops, machine_rates, program_costs
from adlib.compile.schedule import Schedule
from adlib.compile.simplify import simplify
from adlib.core.primitive import registry


def costs(f, *args):
    return program_costs(Schedule(simplify(adlib.make_jaxpr(f)(*args))))


@pytest.mark.parametrize(
    ("f", "shapes", "wanted"),
    [
        (lambda x: x + 1.0, [(3, 4)], 12),
        (lambda x, y: x @ y, [(3, 4), (4, 5)], 2 * 3 * 4 * 5),
        (lambda x: jnp.sum(x), [(3, 4)], 12),
        (lambda x: x.T, [(3, 4)], 0),
        (lambda x: jnp.cumsum(x, axis=0), [(3, 4)], 12),
    ],
    ids=["sum", "product", "reduction", "transpose", "cumulative"],
)
def test_flops_of_an_equation(f, shapes, wanted):
    closed = adlib.make_jaxpr(f)(*[jnp.ones(s) for s in shapes])
    assert sum(flops(eqn) or 0 for eqn in closed.eqns) == wanted


def test_complex_numbers_are_two():
    def counted(f):
        (eqn,) = adlib.make_jaxpr(f)(jnp.ones((3, 3), jnp.complex64)).eqns
        return flops(eqn)

    assert counted(lambda z: z + z) == 2 * 9
    assert counted(lambda z: z * z) == 6 * 9
    assert counted(lambda z: z @ z) == 8 * 27
    assert counted(lambda z: jnp.sum(z)) == 2 * 9


def test_bytes_of_an_equation():
    closed = adlib.make_jaxpr(lambda x: x * x)(jnp.ones(10))
    (eqn,) = closed.eqns
    assert bytes_read(eqn) == 40 and bytes_written(eqn) == 40


def test_calls_of_math_functions_are_counted_by_themselves():
    found = costs(lambda x: jnp.sin(x) + jnp.exp(x), jnp.ones(100))
    assert found["transcendentals"] == 200 and found["flops"] == 100
    assert {"sin", "exp", "tanh", "pow", "lgamma"} <= set(registry)


def test_what_is_removed_costs_nothing():
    assert costs(lambda x: (jnp.sin(x), jnp.cos(x))[0] * 1.0, jnp.ones(7)) == {
        **costs(jnp.sin, jnp.ones(7))
    }


def test_loops_and_calls_count_what_is_in_them():
    inner = adlib.jit(lambda x: jnp.sin(x))
    f = lambda x: lax.scan(lambda c, v: (inner(c) + v, None), x[0], x)[0]  # noqa: E731
    found = costs(f, jnp.ones((6, 5)))
    assert found["transcendentals"] == 30 and found["flops"] == 30


def test_a_library_call_reads_its_operands_and_writes_its_results():
    found = costs(jnp.linalg.cholesky, jnp.eye(8))
    assert found["bytes accessed"] >= 2 * 8 * 8 * 4


def test_the_machine_is_measured_once():
    bandwidth, rate = machine_rates()
    assert bandwidth > 1e8 and rate > 1e8
    assert machine_rates() == (bandwidth, rate)
    found = costs(lambda x: x + 1.0, jnp.ones(1 << 20))
    assert found["optimal_seconds"] >= 0.99 * found["bytes accessed"] / bandwidth
