"""Programs inside of equations run as the equation itself does."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.inspect import nan_record
from adlib.inspect.nested import nested_runs
from adlib.inspect.programs import trace_program

STEPS = np.arange(3.0)
CASES = {
    "scan": (lambda x: lax.scan(lambda c, a: (c * x + a, c), x, STEPS)[0], 3),
    "reversed scan": (lambda x: lax.scan(lambda c, a: (c - a, c), x, STEPS, reverse=True)[0], 3),
    "while": (lambda x: lax.while_loop(lambda c: c < 9 * x, lambda c: c * 2, x), 4),
    "cond": (lambda x: lax.cond(x > 0, jnp.sin, jnp.cos, x), 1),
    "custom rule": (lambda x: adlib.nn.relu(x), 1),
    "checkpoint": (lambda x: adlib.checkpoint(lambda y: jnp.sin(y) * y)(x), 1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_last_run_gives_the_equations_result(name):
    function, count = CASES[name]
    program = trace_program(function, (1.0,), {})
    env = dict(zip(program.closed.jaxpr.invars, program.values, strict=True))
    env |= dict(zip(program.closed.jaxpr.constvars, program.closed.consts, strict=True))
    for eqn in program.closed.eqns:
        operands = [env[v] if v in env else v.array for v in eqn.invars]
        runs = list(nested_runs(eqn, operands))
        out = eqn.primitive.bind(*operands, **eqn.params)
        results = out if eqn.primitive.multiple_results else [out]
        env.update(zip(eqn.outvars, results, strict=True))
        if runs:
            assert len(runs) == count
            np.testing.assert_allclose(runs[-1][3][0], results[0], rtol=1e-6)
            break
    else:
        pytest.fail("no equation with a program")


def diverging(x):
    def step(c, _):
        c = c * c * 1e6
        return c, jnp.log(c)

    return lax.scan(step, x, None, length=8)[0]


@pytest.mark.parametrize(
    ("function", "args", "step", "inside"),
    [
        (diverging, (1.0,), "mul_1", "round 2 of scan_0"),
        (lambda x: lax.cond(x > 0, jnp.sin, jnp.log, x), (-1.0,), "log_0", "branch 0 of cond_0"),
        (lambda x: adlib.checkpoint(jnp.log)(x), (0.0,), "log_0", "remat2_0"),
    ],
)
def test_the_bad_equation_is_found_inside(function, args, step, inside):
    record = nan_record(function, args)
    bad = record.origin or record.first
    assert (bad.step, bad.inside) == (step, inside)
    assert bad.source.startswith("test_nested.py:")
