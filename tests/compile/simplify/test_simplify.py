"""All passes together: on every primitive's samples and on programs of every kind."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.compile.simplify import PASSES, Log, simplify, simplify_steps
from adlib.core.array import to_numpy
from adlib.core.avals import same_type
from adlib.core.check import check_jaxpr
from adlib.core.jaxpr import ClosedJaxpr, Jaxpr, subjaxprs
from adlib.core.program import run
from adlib.interpreters.stage import stage
from tests.compositions import test_random_compositions as compositions
from tests.ops.harness import Case, load_primitives
from tests.ops.program_samples import PROGRAM_SAMPLES


@pytest.fixture(autouse=True)
def reference_executor():
    """Values are compared to the bit, so that both programs run with the same kernels."""
    with adlib.config.override(jit_backend="python"):
        yield


def check_everywhere(jaxpr: Jaxpr) -> None:
    check_jaxpr(jaxpr)
    for eqn in jaxpr.eqns:
        for _, inner in subjaxprs(eqn.params):
            check_everywhere(inner)


def check_simplification(closed: ClosedJaxpr, args, exact=True, rounded=None) -> ClosedJaxpr:
    """Well-formed after each pass, of the same types, and equal in value (to ``rounded``)."""
    wanted = run(closed, args)
    for step in simplify_steps(closed):
        check_everywhere(step.closed.jaxpr)
        assert all(map(same_type, step.closed.out_avals, closed.out_avals)), step.name
        assert step.closed.in_avals == closed.in_avals
    simple = simplify(closed)
    for value, expected in zip(run(simple, args), wanted, strict=True):
        value, expected = np.asarray(to_numpy(value)), np.asarray(to_numpy(expected))
        if rounded:
            np.testing.assert_allclose(value, expected, rtol=rounded, atol=rounded)
        elif exact:
            np.testing.assert_array_equal(value, expected)
        else:
            np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-11)
    return simple


def samples():
    found = []
    for name, primitive in sorted(load_primitives().items()):
        # the collectives of named axes have no samples, and effects no value
        several = [] if primitive.effect else PROGRAM_SAMPLES.get(name, primitive.samples)()
        found += [
            pytest.param(primitive, sample, id=f"{name}-{sample.name or number}")
            for number, sample in enumerate(several)
        ]
    return found


# What is written out as factorizations is equal but for rounding.
ROUNDED = set("det slogdet cofactors pinv expm expm_frechet sqrtm_frechet qdwh".split())


@pytest.mark.parametrize(("primitive", "sample"), samples())
def test_samples_as_programs(primitive, sample):
    """Applied twice, to arguments and to constants."""
    case = Case(primitive, sample)
    rounded = 1e-5 if primitive.name in ROUNDED else None

    def twice(*args):
        return [*case(*args), *case(*args)]

    closed = stage(twice, [a.aval for a in case.args])
    check_simplification(closed, case.args, rounded=rounded)
    check_simplification(stage(lambda: twice(*case.args), []), [], rounded=rounded)


A = np.random.default_rng(1).normal(size=(4, 3))
X = np.random.default_rng(2).normal(size=3)


def loss(x):
    return jnp.sum(jnp.tanh(A @ x) ** 2)


def rnn(w):
    def step(c, x):
        c = jnp.tanh(w @ c + x * jnp.sum(w))
        return c, (c.sum(), x)

    return lax.scan(step, X, jnp.ones((5, 3)))[1][0].sum()


def fixed_point(x):
    def body(state):
        i, y, unused = state
        return i + 1, jnp.cos(y) * jnp.exp(x[0]), unused * 2.0

    return lax.while_loop(lambda s: s[0] < 5, body, (0, x, 1.0))[1]


PROGRAMS = {
    "hessian": lambda: (adlib.hessian(loss), X),
    "jacfwd": lambda: (adlib.jacfwd(lambda x: jnp.tanh(A @ x)), X),
    "jacrev": lambda: (adlib.jacrev(lambda x: jnp.tanh(A @ x)), X),
    "jacrev of jacrev": lambda: (adlib.jacrev(adlib.jacrev(loss)), X),
    "jacfwd of softmax": lambda: (adlib.jacfwd(adlib.nn.softmax), X),
    "jacrev of softmax": lambda: (adlib.jacrev(adlib.nn.softmax), X),
    "hessian of softmax": lambda: (adlib.hessian(lambda x: adlib.nn.softmax(x)[1]), X),
    "gradient through scan": lambda: (adlib.grad(rnn), np.eye(3) * 0.5),
    "hessian through scan": lambda: (adlib.jacfwd(adlib.grad(rnn)), np.eye(3) * 0.5),
    "while": lambda: (fixed_point, X),
    "jvp of while": lambda: (lambda x: adlib.jvp(fixed_point, (x,), (x,)), X),
    "vmap of while": lambda: (adlib.vmap(fixed_point), np.stack([X, X * 0.3])),
    "checkpoint": lambda: (
        adlib.grad(lambda x: adlib.checkpoint(lambda y: jnp.sum(jnp.sin(y * y)))(x)),
        X,
    ),
    "checkpoint of scan": lambda: (adlib.grad(adlib.checkpoint(rnn)), np.eye(3) * 0.5),
    "nested jit": lambda: (adlib.grad(adlib.jit(lambda x: adlib.jit(loss)(x) * loss(x))), X),
    "cond": lambda: (
        adlib.grad(lambda x: lax.cond(x[0] > 0, jnp.sin, lambda y: y * 2.0, x).sum()),
        X,
    ),
    "switch of a constant": lambda: (
        lambda x: lax.switch(jnp.int32(1), [jnp.sin, jnp.cos, jnp.tan], x),
        X,
    ),
    "batched cholesky": lambda: (
        adlib.grad(lambda a: jnp.linalg.cholesky(a @ a.T + jnp.eye(4)).sum()),
        A,
    ),
    "complex": lambda: (
        adlib.grad(lambda x: jnp.abs(jnp.exp(1j * x) * (x + 2j)).sum()),
        X,
    ),
    "custom root": lambda: (
        adlib.grad(
            lambda x: lax.custom_root(
                lambda y: y**3 - x[0] - 2.0,
                2.0,
                lambda f, y: lax.fori_loop(0, 30, lambda i, v: v - f(v) / (3 * v * v), y),
                lambda g, y: y / g(1.0),
            )
        ),
        X,
    ),
    "linear solve": lambda: (
        adlib.grad(lambda x: jnp.linalg.solve(A @ A.T + jnp.eye(4), A @ x).sum()),
        X,
    ),
    "fft": lambda: (adlib.grad(lambda x: jnp.abs(jnp.fft.fft(x)).sum()), X),
    "sort and gather": lambda: (adlib.grad(lambda x: (jnp.sort(x)[::2] ** 2).sum()), X),
    "per-example gradients": lambda: (adlib.vmap(adlib.grad(loss)), np.stack([X, X * 2])),
}


def size(jaxpr):
    """Equations, those inside counted for each place where they stand; a call is one more."""
    return len(jaxpr.eqns) + sum(
        size(inner) for eqn in jaxpr.eqns for _, inner in subjaxprs(eqn.params)
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    with adlib.enable_x64():
        f, x = PROGRAMS[name]()
        x = jnp.asarray(x)
        closed = adlib.make_jaxpr(f)(x)
        simple = check_simplification(closed, [x], exact=False)
        assert size(simple.jaxpr) <= size(closed.jaxpr)
        assert simplify(closed) is simple and simplify(simple) is simple


def test_the_hessian_of_a_sum_of_elementwise_functions_is_computed_on_its_diagonal():
    closed = adlib.make_jaxpr(adlib.hessian(lambda x: jnp.sum(jnp.tanh(x) ** 2)))(jnp.ones(30))
    square = [e for e in simplify(closed).eqns if e.outvars[0].aval.size == 900]
    assert [e.primitive.name for e in square] == ["broadcast_in_dim", "mul"]


def test_each_pass_visits_each_equation_a_bounded_number_of_times():
    """Linear time, counted: four times the program, four times the visits."""

    def chain(n):
        def f(x):
            for _ in range(n):
                x = jnp.sin(x * 1.0 + 0.5) - (-x)
            return x

        return adlib.make_jaxpr(adlib.grad(f))(1.0)

    visits = []
    for n in (50, 200):
        log = Log()
        closed = chain(n)
        total = len(closed.eqns)
        for change in PASSES.values():
            closed = change(closed, log)
        visits.append(log.visits / total)
        assert log.visits <= 3 * len(PASSES) * total
    assert visits[1] < 1.2 * visits[0]


def test_long_programs_need_no_deep_recursion():
    def f(x):
        for _ in range(3000):
            x = jnp.sin(x)
        return x

    assert len(simplify(adlib.make_jaxpr(f)(1.0)).eqns) == 3000


def test_steps_are_told_in_words():
    closed = adlib.make_jaxpr(lambda x: jnp.sin(x) * 1.0 + jnp.sin(x))(2.0)
    steps = simplify_steps(closed)
    assert [(s.name, s.summary) for s in steps] == [
        ("", "4 equations"),
        ("algebra", "4 → 3 equations: 1 removed"),
        ("merge common equations", "3 → 2 equations: 1 merged"),
    ]
    assert steps[1].events[0].what == "removed: x · 1 is x"
    assert steps[2].events[0].into is steps[2].closed.eqns[0]


def test_equations_keep_their_lines():
    def f(x):
        y = jnp.sin(x) * 1.0
        return y + jnp.cos(x) - (-y)

    closed = adlib.make_jaxpr(f)(2.0)
    lines = {e.source.line for e in closed.eqns}
    assert {e.source.line for e in simplify(closed).eqns} == lines


@seed(20241122)
@settings(max_examples=80, deadline=None, database=None,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much,
                                 HealthCheck.function_scoped_fixture])  # fmt: skip
@given(compositions.programs, compositions.chains, compositions.points)
def test_random_programs_under_random_transformations(program, word, point):
    with adlib.enable_x64():
        f, forward = compositions.build(program)
        if not forward and compositions.FORWARD & set(word):
            word = [letter for letter in word if letter not in compositions.FORWARD]
        g = compositions.apply_chain(word, f, False)
        x = jnp.asarray(np.array(point))
        closed = adlib.make_jaxpr(g)(x)
        check_simplification(closed, [x], exact=False)
