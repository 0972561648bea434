"""What jit made of a program, in records."""

import json
from dataclasses import asdict

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.core.jaxpr import eval_jaxpr
from adlib.inspect.optimisation import optimisation

X = np.linspace(0.3, 1.2, 4).astype(np.float32)


def optimised(f, *args):
    closed = adlib.make_jaxpr(f)(*args)
    names = [f"e{k}" for k in range(len(closed.eqns))]
    found = optimisation(closed, names)
    assert len(found.origins) == len(found.rules) == len(found.closed.eqns)
    assert {f.origin for f in found.fates} | set(found.origins) >= set(range(len(names)))
    return found


def test_the_optimised_program_computes_the_same():
    def f(x):
        return jnp.sum(jnp.sin(x) * jnp.sin(x) * 1.0), jnp.cos(-jnp.negative(x))

    found = optimised(adlib.jit(f), X)
    for given, wanted in zip(
        eval_jaxpr(found.closed.jaxpr, found.closed.consts, X), f(X), strict=True
    ):
        np.testing.assert_array_equal(given, wanted)


def test_equations_out_of_loops_come_from_the_loop():
    def f(x, y):
        return lax.scan(lambda c, v: (c * jnp.sin(y[0]) + v, None), x[0], x)[0]

    found = optimised(f, X, X)
    names = [e.primitive.name for e in found.closed.eqns]
    scan = found.origins[names.index("scan")]
    assert found.origins[names.index("sin")] == scan
    assert any("left its body" in note for p in found.passes for note in p.notes)


def test_every_equation_belongs_to_a_group():
    a = np.eye(300, dtype=np.float32)
    found = optimised(lambda a, x: (jnp.linalg.cholesky(a @ a.T), a.T[1:] + 1.0), a, X)
    steps = sorted(s for g in found.groups for s in g.steps)
    assert steps == list(range(1, len(found.closed.eqns) + 1))
    kinds = {g.kind for g in found.groups}
    assert {"product", "view", "loop"} <= kinds
    assert all(g.title and g.reason for g in found.groups)


def test_equal_notes_are_counted():
    def f(x):
        for _ in range(5):
            x = x * 1.0
        return x

    closed = adlib.make_jaxpr(f)(1.0)
    found = optimisation(closed, ["mul"] * len(closed.eqns))
    (done,) = found.passes
    assert done.notes == ("mul removed: x · 1 is x (5 times)",)


def test_records_are_data():
    found = optimised(lambda x: jnp.sin(x) * 1.0, X)
    for record in (*found.fates, *found.groups, *found.passes):
        assert json.loads(json.dumps(asdict(record)))


def test_an_empty_program():
    found = optimised(lambda x: x, X)
    assert found.origins == [] and found.groups == () and found.passes == ()
