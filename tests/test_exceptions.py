"""Exceptions raised inside of any transformation leave the engine as it was.

The user's exception arrives itself, and afterwards the evaluator is the current interpreter,
no axis is named, NumPy's error state and all flags are what they were, and the next
computation is right.
"""

import threading

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, jit, jvp, lax, vjp, vmap
from adlib.base.config import config
from adlib.core.evaluate import evaluator
from adlib.core.trace import state

x3 = jnp.array([1.0, 2.0, 3.0])


class Mine(Exception):
    """The user's own exception."""


class Trouble:
    """A function that raises on request: always the same object, to be recognized."""

    def __init__(self, error=None):
        self.error = error if error is not None else Mine("as it was")
        self.armed = True
        self.reached = 0

    def __call__(self, x):
        self.reached += 1
        if self.armed:
            raise self.error
        return jnp.sin(x)


def own_function(t):
    """t as a custom_jvp and as a custom_vjp function, whose rules call it too."""
    f, g = adlib.custom_jvp(t), adlib.custom_vjp(t)
    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))
    g.defvjp(lambda x: (g(x), None), lambda _, ct: (ct,))
    return f, g


def jvp_rule(t):
    f = adlib.custom_jvp(jnp.sin)
    f.defjvp(lambda primals, tangents: (t(primals[0]), tangents[0]))
    return lambda x: jvp(f, (x,), (x,))


def vjp_rule(t, where):
    @adlib.custom_vjp
    def f(x):
        return jnp.sin(x)

    fwd = (lambda x: (t(x), x)) if where == "fwd" else (lambda x: (jnp.sin(x), x))
    bwd = (lambda x, g: (t(g),)) if where == "bwd" else (lambda x, g: (g,))
    f.defvjp(fwd, bwd)
    return lambda x: grad(lambda v: jnp.sum(f(v)))(x)


def root(t, f=None, solve=None, tangent=None):
    f = f or (lambda v: v**2 - 4.0)

    def run(a):
        shifted = lambda v: f(v) * (a[0] / a[0])  # noqa: E731
        return lax.custom_root(
            shifted, 1.0, solve or (lambda f, x: x * 2.0), tangent or (lambda g, y: y / g(1.0))
        )

    return lambda x: grad(run)(x)


def system(t, matvec=None, solve=None, back=None):
    def run(a):
        return lax.custom_linear_solve(
            matvec or (lambda v: a[0] * v), 6.0, solve or (lambda f, b: b / 2.0),
            back or (lambda f, b: b / 2.0),
        )  # fmt: skip

    return lambda x: grad(run)(x)


# name: a function of one vector in which the trouble t is met
PLACES = {
    "grad": lambda t: grad(lambda x: jnp.sum(t(x))),
    "value_and_grad": lambda t: adlib.value_and_grad(lambda x: jnp.sum(t(x))),
    "jvp": lambda t: lambda x: jvp(t, (x,), (x,)),
    "vjp": lambda t: lambda x: vjp(t, x)[1](x),
    "linearize": lambda t: lambda x: adlib.linearize(t, x)[1](x),
    "linear_transpose": lambda t: lambda x: adlib.linear_transpose(lambda v: (t(v), v)[1], x)(x),
    "vmap": lambda t: vmap(t, axis_name="rows"),
    "vmap of vmap": lambda t: (
        lambda x: vmap(
            lambda v: vmap(lambda w: t(w) + lax.psum(w, ("i", "j")), axis_name="i")(x),
            axis_name="j",
        )(x)
    ),
    "jit": jit,
    "jacfwd": adlib.jacfwd,
    "jacrev": adlib.jacrev,
    "hessian": lambda t: adlib.hessian(lambda x: jnp.sum(t(x))),
    "checkpoint": lambda t: grad(lambda x: jnp.sum(adlib.checkpoint(t)(x))),
    "scan": lambda t: lambda x: lax.scan(lambda c, v: (t(c), v), x[0], x),
    "cond": lambda t: lambda x: lax.cond(x[0] > 0, t, jnp.cos, x),
    "cond, the other branch": lambda t: lambda x: lax.cond(x[0] > 0, jnp.cos, t, x),
    "switch": lambda t: lambda x: lax.switch(x[0].astype(int), [jnp.cos, t, jnp.cos], x),
    "while_loop condition": lambda t: (
        lambda x: lax.while_loop(lambda c: jnp.sum(t(c)) > 9.0, lambda c: c, x)
    ),
    "while_loop body": lambda t: lambda x: lax.while_loop(lambda c: c[0] < 0.0, t, x),
    "fori_loop": lambda t: lambda x: lax.fori_loop(0, 2, lambda i, c: t(c), x),
    "map": lambda t: lambda x: lax.map(t, x),
    "associative_scan": lambda t: lambda x: lax.associative_scan(lambda a, b: t(a) + b, x),
    "custom_jvp function": lambda t: own_function(t)[0],
    "custom_jvp rule": jvp_rule,
    "custom_vjp function": lambda t: grad(lambda x: jnp.sum(own_function(t)[1](x))),
    "custom_vjp fwd": lambda t: vjp_rule(t, "fwd"),
    "custom_vjp bwd": lambda t: vjp_rule(t, "bwd"),
    "custom_root f": lambda t: root(t, f=lambda v: t(v)),
    "custom_root solve": lambda t: root(t, solve=lambda f, v: t(v)),
    "custom_root tangent_solve": lambda t: root(t, tangent=lambda g, y: (t(y), y / g(1.0))[1]),
    "custom_linear_solve matvec": lambda t: system(t, matvec=lambda v: (t(v), 2.0 * v)[1]),
    "custom_linear_solve solve": lambda t: system(t, solve=lambda f, b: t(b)),
    "custom_linear_solve transpose_solve": lambda t: system(t, back=lambda f, b: t(b)),
    "make_jaxpr": lambda t: lambda x: (adlib.make_jaxpr(t)(x), x)[1],
    "eval_shape": lambda t: lambda x: (adlib.eval_shape(t, x), x)[1],
    "closure_convert": lambda t: lambda x: (adlib.closure_convert(t, x), x)[1],
    "custom_gradient": lambda t: (
        lambda x: grad(lambda v: jnp.sum(adlib.custom_gradient(lambda w: (jnp.sin(w), t))(v)))(x)
    ),
    "named_call": lambda t: adlib.named_call(t, name="named"),
    "ensure_compile_time_eval": lambda t: lambda x: _at_once(t, x),
    "a flag": lambda t: lambda x: _with_flags(t, x),
}


def _at_once(t, x):
    with adlib.ensure_compile_time_eval():
        t(x3)
    return x


def _with_flags(t, x):
    with adlib.debug_nans(True), adlib.numpy_rank_promotion("raise"):
        return t(x)


def total(out):
    """The sum of all that came out, as a scalar that can be differentiated."""
    leaves = adlib.tree_util.tree_leaves(out)
    return sum(jnp.sum(v) for v in leaves if jnp.issubdtype(v.dtype, jnp.floating))


SURROUNDINGS = {
    "alone": lambda f: f,
    "in jit": jit,
    "in grad": lambda f: grad(lambda x: total(f(x)) * 1.0),
    "in jvp": lambda f: lambda x: jvp(f, (x,), (x,)),
    "in vmap": lambda f: lambda x: vmap(f, axis_name="outer")(jnp.stack([x, x])),
    "in jit of grad": lambda f: jit(grad(lambda x: total(f(x)) * 1.0)),
}

# Without trouble these end in an explanation: there is no reverse mode of while_loop, and no
# forward mode of custom_vjp.
NO_DERIVATIVE = {
    ("while_loop condition", "in grad"),
    ("while_loop condition", "in jit of grad"),
    ("while_loop body", "in grad"),
    ("while_loop body", "in jit of grad"),
    ("custom_vjp function", "in jvp"),
}


def snapshot():
    return state.trace, dict(state.axis_sizes), np.geterr(), dict(config._values), config._open[:]


def check_untouched(before):
    assert snapshot() == before
    assert state.trace is evaluator and state.axis_sizes == {}
    # values, derivatives and types, eager and staged
    f = lambda x: jnp.sum(jnp.sin(x) * x)  # noqa: E731
    wanted = np.sin(x3) + np.asarray(x3) * np.cos(x3)
    for g in (grad(f), jit(grad(f)), lambda x: vmap(grad(lambda v: jnp.sin(v) * v))(x)):
        np.testing.assert_allclose(g(x3), wanted, rtol=1e-5)
    assert float(vmap(lambda v: lax.psum(v, "i"), axis_name="i")(x3)[0]) == 6.0


@pytest.mark.parametrize("around", SURROUNDINGS)
@pytest.mark.parametrize("place", PLACES)
def test_the_engine_is_as_it_was(place, around):
    trouble = Trouble()
    f = SURROUNDINGS[around](PLACES[place](trouble))
    before = snapshot()
    for _ in range(2):
        with pytest.raises(Mine) as caught:
            f(x3)
        assert caught.value is trouble.error
        assert caught.value.__cause__ is None and caught.value.args == ("as it was",)
        assert snapshot() == before
    assert trouble.reached >= 2
    check_untouched(before)
    # the very same function works once the trouble is over
    trouble.armed = False
    if (place, around) not in NO_DERIVATIVE:
        f(x3)
        f(x3)
    check_untouched(before)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError])
@pytest.mark.parametrize("place", PLACES)
def test_interrupts_are_no_exception(place, error):
    trouble = Trouble(error())
    before = snapshot()
    with pytest.raises(error) as caught:
        grad(lambda x: total(PLACES[place](trouble)(x)))(x3)
    assert caught.value is trouble.error
    check_untouched(before)


class Late:
    """Raises at its n-th call: in the middle of programs that are half derived."""

    def __init__(self, n):
        self.n, self.count, self.error = n, 0, KeyboardInterrupt()

    def __call__(self, x):
        self.count += 1
        if self.count == self.n:
            raise self.error
        return jnp.tanh(x) * x


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_an_interrupt_at_any_moment(n):
    late = Late(n)

    def f(x):
        for _ in range(4):
            x = late(x)
        return jnp.sum(x)

    before = snapshot()
    with pytest.raises(KeyboardInterrupt) as caught:
        for transform in (grad(f), adlib.hessian(f), jit(f)):
            transform(x3)
    assert caught.value is late.error
    check_untouched(before)
    wanted = jit(grad(f))(x3)
    np.testing.assert_allclose(grad(f)(x3), wanted, rtol=1e-5)


def raising(*args, **params):
    raise Mine("rule")


@pytest.mark.parametrize("kind", ["shape_rule", "kernel_rule", "jvp", "batch", "transpose"])
def test_an_error_in_a_rule(kind):
    p = adlib.core.Primitive("troubled")
    p.def_abstract_eval(lambda x: x)
    p.def_impl(lambda x: 2 * x)
    p.def_jvp(lambda primals, tangents: (p.bind(*primals), p.bind(*tangents)))
    p.def_transpose(lambda ct, x: (p.bind(ct),))
    p.def_batch(lambda axis, args, dims: (p.bind(*args), dims[0]))
    good = getattr(p, kind)

    def f(x):
        return jnp.sum(vmap(p.bind, axis_name="i")(x)) + jnp.sum(p.bind(x))

    before = snapshot()
    for transform in (grad, lambda f: jit(grad(f)), adlib.hessian):
        p._give(kind, raising)
        for _ in range(3):
            with pytest.raises(Mine, match="rule"):
                transform(f)(x3)
            assert snapshot() == before
        p._give(kind, good)
        for _ in range(3):
            transform(f)(x3)
    assert grad(f)(x3).tolist() == [4, 4, 4]
    check_untouched(before)


def test_a_failing_pullback_can_be_called_again():
    armed = [True]

    @adlib.custom_vjp
    def f(x):
        return jnp.sin(x)

    def backward(x, g):
        if armed[0]:
            raise Mine("once")
        return (g * jnp.cos(x),)

    f.defvjp(lambda x: (jnp.sin(x), x), backward)
    y, pullback = vjp(lambda x: f(f(x)) * 2.0, x3)
    before = snapshot()
    with pytest.raises(Mine, match="once"):
        pullback(jnp.ones(3))
    check_untouched(before)
    armed[0] = False
    wanted = 2 * np.cos(np.sin(x3)) * np.cos(x3)
    np.testing.assert_allclose(pullback(jnp.ones(3))[0], wanted, rtol=1e-5)


def test_caught_inside_a_transformed_function():
    """What the function catches itself does not disturb the transformation around it."""

    def f(x):
        try:
            jit(Trouble())(x)
        except Mine:
            pass
        try:
            grad(Trouble())(x[0])
        except Mine:
            pass
        try:
            vmap(Trouble(), axis_name="i")(x)
        except Mine:
            pass
        assert "i" not in state.axis_sizes
        return jnp.sum(x**2)

    for transform in (grad(f), jit(grad(f)), lambda x: vmap(grad(f))(x[None])[0]):
        for _ in range(2):
            np.testing.assert_allclose(transform(x3), 2 * x3)


def test_generators_that_are_abandoned():
    def rows(x):
        with adlib.enable_x64():
            yield jnp.sin(x)

    before = snapshot()
    generator = rows(1.0)
    next(generator)
    generator.close()
    check_untouched(before)


# -------------------------------------------------------------------- threads


def run_all(*functions):
    """Run functions in threads of their own, and raise what they raise."""
    errors = []

    def guarded(f):
        try:
            f()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    if errors:
        raise errors[0]


def test_two_threads_in_the_middle_of_transformations():
    barrier = threading.Barrier(2, timeout=30)

    def meet(x):
        barrier.wait()
        y = jnp.sin(x) * x
        barrier.wait()
        return jnp.sum(y)

    wanted = np.sin(x3) + np.asarray(x3) * np.cos(x3)
    results = {}

    def one():
        for _ in range(3):
            results["grad"] = grad(meet)(x3)

    def two():
        with adlib.enable_x64():
            results["trace"] = jit(lambda x: meet(x))(np.asarray(x3, np.float64))
            results["vmap"] = vmap(meet, axis_name="i")(x3[:, None])
            results["jvp"] = jvp(meet, (x3,), (x3,))[1]

    run_all(one, two)
    np.testing.assert_allclose(results["grad"], wanted, rtol=1e-5)
    assert results["grad"].dtype == np.float32 and results["trace"].dtype == np.float64
    np.testing.assert_allclose(results["vmap"], np.sin(x3) * np.asarray(x3), rtol=1e-5)
    np.testing.assert_allclose(results["jvp"], wanted @ np.asarray(x3), rtol=1e-5)


def test_a_thread_that_fails_does_not_disturb_the_other():
    failed, done = threading.Event(), []

    def failing():
        with pytest.raises(Mine):
            vmap(grad(Trouble()), axis_name="i")(x3)
        failed.set()

    def f(x):
        assert failed.wait(30)
        done.append(dict(state.axis_sizes))
        return jnp.sum(x**2)

    results = []
    run_all(failing, lambda: results.append(vmap(grad(f), axis_name="j")(x3)))
    assert done == [{"j": 3}] and results[0].tolist() == [2, 4, 6]


def test_many_threads_derive_the_same_programs():
    adlib.clear_caches()
    f = lambda x: jnp.sum(jnp.tanh(x) * jnp.log1p(x**2))  # noqa: E731
    shared = jit(grad(f))
    wanted = np.asarray(jit(grad(f))(x3))
    results = []

    def work():
        for n in range(3, 9):
            x = jnp.arange(1.0, n + 1)
            for _ in range(3):
                results.append((grad(f)(x)[:3], shared(x)[:3], adlib.jacfwd(f)(x)[:3]))

    run_all(*[work] * 4)
    assert len(results) == 4 * 6 * 3
    for row in results:
        for got in row:
            np.testing.assert_allclose(got, wanted, rtol=1e-4)
