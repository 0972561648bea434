"""custom_jvp, custom_vjp, custom_gradient and closure_convert."""

import collections
from functools import partial

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import custom_jvp, custom_vjp, grad, jit, jvp, lax, vjp, vmap
from tests.support import check_everywhere

Point = collections.namedtuple("Point", "x y")


@pytest.fixture
def double_precision():
    with adlib.enable_x64():
        yield


@custom_jvp
def product(x, y):
    return jnp.sin(x) * y


@product.defjvp
def product_jvp(primals, tangents):
    (x, y), (dx, dy) = primals, tangents
    return product(x, y), jnp.cos(x) * dx * y + jnp.sin(x) * dy


@custom_jvp
def by_argument(x, y):
    return jnp.sin(x) * y


by_argument.defjvps(lambda t, ans, x, y: jnp.cos(x) * t * y, lambda t, ans, x, y: jnp.sin(x) * t)


@custom_jvp
def of_trees(p):
    return {"a": p.x * p.y, "b": (jnp.cos(p.x),)}


@of_trees.defjvp
def of_trees_jvp(primals, tangents):
    (p,), (t,) = primals, tangents
    return of_trees(p), {"a": t.x * p.y + p.x * t.y, "b": (-jnp.sin(p.x) * t.x,)}


CASES = {
    "defjvp": product,
    "defjvps": by_argument,
    "trees": lambda x, y: of_trees(Point(x, y)),
    "inside jit": jit(product),
    "inside scan": lambda x, y: lax.scan(lambda c, v: (product(c, v), c), x[0], y)[1],
    "inside vmap": vmap(product),
    "inside cond": lambda x, y: lax.cond(x[0] > 0, product, lambda u, v: u + v, x, y),
    "twice": lambda x, y: product(product(x, y), y),
}


@pytest.mark.parametrize("name", CASES)
def test_custom_jvp_under_every_transformation(name, double_precision):
    x, y = np.random.default_rng(0).uniform(0.3, 1.0, (2, 3))
    check_everywhere(CASES[name], (x, y))


@custom_vjp
def pulled(x, y):
    return jnp.sin(x) * y


pulled.defvjp(
    lambda x, y: (pulled(x, y), (jnp.cos(x), jnp.sin(x), y)),
    lambda res, g: (res[0] * g * res[2], res[1] * g),
)

VJP_CASES = {
    "plain": pulled,
    "inside jit": jit(pulled),
    "inside scan": lambda x, y: lax.scan(lambda c, v: (pulled(c, v), c), x[0], y)[1],
    "inside vmap": vmap(pulled),
    "inside vmap, one shared": lambda x, y: vmap(pulled, in_axes=(0, None))(x, y[0]),
    "inside cond": lambda x, y: lax.cond(x[0] > 0, pulled, lambda u, v: u + v, x, y),
    "inside checkpoint": adlib.checkpoint(pulled),
}


@pytest.mark.parametrize("name", VJP_CASES)
def test_custom_vjp_in_reverse_mode(name, double_precision):
    x, y = map(jnp.asarray, np.random.default_rng(0).uniform(0.3, 1.0, (2, 3)))
    f = VJP_CASES[name]
    with_rule = grad(lambda x, y: jnp.sum(f(x, y) ** 2), (0, 1))
    reference_of = lambda g: lambda x, y: jnp.sum(g(x, y) ** 2)  # noqa: E731
    direct = {
        "inside scan": lambda x, y: lax.scan(
            lambda c, v: (jnp.sin(c) * v, c), x[0], y)[1],
        "inside vmap, one shared": lambda x, y: jnp.sin(x) * y[0],
    }.get(name, lambda x, y: jnp.sin(x) * y)  # fmt: skip
    want = grad(reference_of(direct), (0, 1))(x, y)
    for g in (with_rule, jit(with_rule)):
        np.testing.assert_allclose(g(x, y), want, rtol=1e-10)
    second = grad(lambda x, y: jnp.sum(with_rule(x, y)[0] ** 2))(x, y)
    want2 = grad(lambda x, y: jnp.sum(grad(reference_of(direct))(x, y) ** 2))(x, y)
    np.testing.assert_allclose(second, want2, rtol=1e-9)
    rows = vmap(with_rule, in_axes=(0, None))(jnp.stack([x, 2 * x]), y)
    np.testing.assert_allclose(rows[0][1], with_rule(2 * x, y)[0], rtol=1e-10)


def calls_of(f, *args):
    log.clear()
    f(*args)
    return list(log)


log = []


@custom_jvp
def loud(x):
    log.append("f")
    return jnp.sin(x)


@loud.defjvp
def loud_jvp(primals, tangents):
    log.append("jvp")
    return loud(primals[0]), jnp.cos(primals[0]) * tangents[0]


@custom_vjp
def loud_vjp(x):
    log.append("f")
    return jnp.sin(x)


loud_vjp.defvjp(
    lambda x: (log.append("fwd") or loud_vjp(x), jnp.cos(x)),
    lambda res, g: (log.append("bwd") or res * g,),
)


@pytest.mark.parametrize(
    "f, calls",
    [
        (lambda: loud(3.0), ["f"]),
        (lambda: vmap(loud)(jnp.ones(3)), ["f"]),
        (lambda: jit(loud)(3.0), ["f"]),
        (lambda: jvp(loud, (3.0,), (1.0,)), ["jvp", "f"]),
        (lambda: grad(loud)(3.0), ["jvp", "f"]),
        (lambda: grad(grad(loud))(3.0), ["jvp", "jvp", "f"]),
        (lambda: loud_vjp(3.0), ["f"]),
        (lambda: jit(loud_vjp)(3.0), ["f"]),
        (lambda: vmap(loud_vjp)(jnp.ones(3)), ["f"]),
        (lambda: grad(loud_vjp)(3.0), ["fwd", "f", "bwd"]),
        (lambda: vjp(loud_vjp, 3.0), ["fwd", "f"]),
    ],
)
def test_who_is_called_when(f, calls):
    assert calls_of(f) == calls


def test_undecorated_behaviour_without_differentiation():
    @custom_jvp
    def f(x):
        return {"square": x**2}

    f.defjvps(lambda t, ans, x: t)
    assert f(3.0) == {"square": 9.0} and isinstance(f(3.0)["square"], float)


def test_nondiff_arguments_come_first_in_rules():
    @partial(custom_jvp, nondiff_argnums=(0, 2))
    def app(f, x, g):
        return f(g(x))

    @app.defjvp
    def app_jvp(f, g, primals, tangents):
        return f(g(primals[0])), 3.0 * tangents[0]

    assert float(grad(app, 1)(lambda x: x**3, 3.0, lambda y: 5 * y)) == 3.0

    @partial(custom_vjp, nondiff_argnums=(0,))
    def run(f, x):
        return f(x)

    run.defvjp(lambda f, x: (f(x), x), lambda f, x, g: (5 * g,))
    assert float(grad(run, 1)(lambda x: x**2, 4.0)) == 5.0
    assert float(jit(grad(lambda x: run(jnp.sin, x)))(4.0)) == 5.0


def test_nondiff_arguments_by_name():
    @partial(custom_vjp, nondiff_argnames="f")
    def run(x, f):
        return f(x)

    run.defvjp(lambda x, f: (f(x), None), lambda f, res, g: (4 * g,))
    assert float(grad(run)(2.0, jnp.sin)) == 4.0
    with pytest.raises(ValueError, match="are no parameters of"):
        custom_jvp(lambda x: x, nondiff_argnames=("y",))


def test_keyword_and_default_arguments():
    @custom_jvp
    def f(x, y=3.0):
        return x**2 * y

    @f.defjvp
    def f_jvp(primals, tangents):
        return f(*primals), 10 * tangents[0] + 100 * tangents[1]

    assert float(grad(f)(2.0)) == 10.0
    assert float(grad(lambda y: f(y=y, x=2.0))(3.0)) == 100.0

    @custom_vjp
    def g(x, y=3.0):
        return x**2 * y

    g.defvjp(lambda x, y=3.0: (g(x, y), None), lambda res, ct: (10.0 * ct, 100.0 * ct))
    assert float(grad(g)(2.0)) == 10.0
    assert float(grad(lambda y: g(y=y, x=2.0))(3.0)) == 100.0


def test_none_stands_for_a_zero_cotangent():
    @custom_vjp
    def clip(lo, hi, x):
        return x

    clip.defvjp(lambda lo, hi, x: (x, (lo, hi)), lambda res, g: (None, None, jnp.clip(g, *res)))
    got = grad(lambda lo, hi, x: 3.0 * clip(lo, hi, x), (0, 1, 2))(-0.5, 0.5, 2.0)
    assert [float(v) for v in got] == [0.0, 0.0, 0.5]


def test_python_control_flow_in_function_and_rule():
    @custom_jvp
    def f(x):
        return jnp.sin(x) if x > 0 else jnp.cos(x)

    @f.defjvp
    def f_jvp(primals, tangents):
        (x,), (t,) = primals, tangents
        return f(x), 2 * t if x > 0 else 3 * t

    assert (float(grad(f)(1.0)), float(grad(f)(-1.0))) == (2.0, 3.0)


def test_integer_arguments_of_custom_vjp():
    @custom_vjp
    def take(x, i):
        return x[i]

    take.defvjp(
        lambda x, i: (x[i], (x, i)), lambda res, g: (jnp.zeros_like(res[0]).at[res[1]].set(g), None)
    )
    assert grad(lambda x: take(x, 1) * 2)(jnp.arange(3.0)).tolist() == [0.0, 2.0, 0.0]


def test_exceptions_in_rules_leave_the_engine_as_it_was():
    @custom_vjp
    def f(x):
        return x

    def bwd(res, g):
        raise RuntimeError("in the backward pass")

    f.defvjp(lambda x: (x, None), bwd)
    with pytest.raises(RuntimeError, match="in the backward pass"):
        grad(f)(1.0)
    assert float(grad(lambda x: x**2)(3.0)) == 6.0


def test_closing_over_a_differentiated_value_is_refused():
    def closing(a):
        @custom_vjp
        def f(x):
            return a * x

        f.defvjp(lambda x: (a * x, None), lambda res, g: (g,))
        return f(1.0)

    with pytest.raises(adlib.errors.UnexpectedTracerError, match="pass it as an argument"):
        grad(closing)(2.0)


def test_custom_gradient():
    @adlib.custom_gradient
    def f(x, y):
        return x * y, lambda g: (7.0 * g * y, g * x)

    assert [float(v) for v in grad(f, (0, 1))(2.0, 3.0)] == [21.0, 2.0]
    assert float(jit(grad(f))(2.0, 3.0)) == 21.0


def test_closure_convert():
    def minimize(objective, x):
        converted, consts = adlib.closure_convert(objective, x)
        return run(converted, x, *consts)

    @partial(custom_vjp, nondiff_argnums=(0,))
    def run(f, x, *consts):
        return f(x, *consts)

    def fwd(f, x, *consts):
        return f(x, *consts), (x, consts)

    def bwd(f, res, g):
        x, consts = res
        return (None, *[g * 10.0 * jnp.ones_like(c) for c in consts])

    run.defvjp(fwd, bwd)
    assert float(grad(lambda a: minimize(lambda x: a * x, 2.0))(3.0)) == 10.0


def test_symbolic_zeros():
    from adlib.custom_derivatives import SymbolicZero

    @custom_jvp
    def f(x, y):
        return x * y

    def rule(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        seen.append([type(t) is SymbolicZero for t in tangents])
        shares = [t * v for t, v in ((dx, y), (dy, x)) if type(t) is not SymbolicZero]
        return f(x, y), sum(shares)

    seen = []
    f.defjvp(rule, symbolic_zeros=True)
    assert float(grad(f)(2.0, 3.0)) == 3.0 and seen == [[False, True]]
    assert float(jit(grad(f, 1))(2.0, 3.0)) == 2.0 and seen[-1] == [True, False]


def _product_and_sum(seen):
    """(x·y, x+y) whose passes look at symbolic zeros, and the wrong factor 10 to be seen by."""
    from adlib.custom_derivatives import SymbolicZero

    @custom_vjp
    def f(x, y):
        return x * y, x + y

    def forward(x, y):
        seen.append((x.perturbed, y.perturbed))
        return f(x.value, y.value), (x.value, y.value)

    def backward(res, cts):
        seen.append(tuple(isinstance(ct, SymbolicZero) for ct in cts))
        (x, y), (p, s) = res, cts
        if isinstance(p, SymbolicZero):
            zero = SymbolicZero.from_primal_value(x)
            assert zero.shape == p.shape == x.shape and zero.dtype == s.dtype
            return zero, 10.0 * s
        return (10.0 * p * y, None) if isinstance(s, SymbolicZero) else (p * y + s, p * x + s)

    f.defvjp(forward, backward, symbolic_zeros=True)
    return f


def test_symbolic_zeros_in_custom_vjp():
    seen = []
    f = _product_and_sum(seen)
    assert float(grad(lambda x: f(x, 3.0)[0])(2.0)) == 30.0
    assert seen == [(True, False), (False, True)]
    assert float(jit(grad(lambda y: f(2.0, y)[1]))(3.0)) == 10.0
    assert seen[2:] == [(False, True), (True, False)]
    del seen[:]
    assert [float(g) for g in adlib.vjp(f, 2.0, 3.0)[1]((1.0, 1.0))] == [4.0, 3.0]
    assert seen == [(True, True), (False, False)]


def test_symbolic_zeros_in_custom_vjp_under_vmap():
    seen = []
    f, xs = _product_and_sum(seen), jnp.arange(3.0)
    assert vmap(grad(lambda x: f(x, 3.0)[0]))(xs).tolist() == [30.0, 30.0, 30.0]
    total = lambda x, y: jnp.sum(vmap(f, in_axes=(0, None))(x, y)[0])  # noqa: E731
    assert grad(total)(xs, 3.0).tolist() == [30.0, 30.0, 30.0]
    assert seen[:2] == seen[2:4] == [(True, False), (False, True)]
    last = lambda y: jnp.sum(vmap(f, in_axes=(0, None))(xs, y)[1])  # noqa: E731
    assert float(grad(last)(3.0)) == 30.0 and seen[-1] == (True, False)
    assert float(jit(grad(last))(3.0)) == 30.0
