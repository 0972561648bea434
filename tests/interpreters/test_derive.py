"""Programs kept from rules: made at the second meeting, bounded, and no other than the rules."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import core, grad, jvp, vmap
from adlib.interpreters import derive


def counted(calls):
    """2x, whose rules count their calls."""
    p = core.Primitive("counted")
    p.def_abstract_eval(lambda x, **_: x)
    p.def_impl(lambda x, **_: 2 * x)

    @p.def_jvp
    def _(primals, tangents, **params):
        calls.append("jvp")
        return p.bind(*primals, **params), tangents[0] * 2.0

    @p.def_batch
    def _(axis, args, dims, **params):
        calls.append("batch")
        return p.bind(*args, **params), dims[0]

    return p


USES = {
    "grad": (lambda p: lambda x: grad(lambda v: jnp.sum(p.bind(v)))(x), "jvp"),
    "jvp": (lambda p: lambda x: jvp(p.bind, (x,), (x,)), "jvp"),
    "vjp": (lambda p: lambda x: adlib.vjp(p.bind, x)[1](x), "jvp"),
    "linearize": (lambda p: lambda x: adlib.linearize(p.bind, x)[1](x), "jvp"),
    "vmap": (lambda p: vmap(p.bind), "batch"),
    "vmap grad": (lambda p: vmap(grad(p.bind)), "jvp"),
    "grad vmap": (lambda p: grad(lambda x: jnp.sum(vmap(p.bind)(x))), "batch"),
    "hessian": (lambda p: adlib.hessian(lambda v: jnp.sum(p.bind(v))), "jvp"),
}


NESTED = {"vmap grad", "grad vmap", "hessian"}


@pytest.mark.parametrize("name", USES)
def test_later_calls_run_no_rule(name):
    make, kind = USES[name]
    calls = []
    f = make(counted(calls))
    x = jnp.ones(3)
    # the rule, then its program; one more round for each transformation within another
    results = [f(x) for _ in range(4 if name in NESTED else 2)]
    assert kind in calls
    calls.clear()
    results += [f(x), f(x)]
    assert calls == []
    first = adlib.tree_util.tree_leaves(results[0])
    for other in results[1:]:
        for a, b in zip(first, adlib.tree_util.tree_leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.aval is b.aval


def test_the_table_is_bounded(monkeypatch):
    monkeypatch.setattr(derive, "_LIMIT", 5)
    p = counted([])
    for n in range(40):
        jvp(lambda x, n=n: p.bind(x, n=n), (jnp.ones(2),), (jnp.ones(2),))
        assert len(p.derived) <= 6


def test_parameters_that_cannot_be_hashed_go_by_the_rule():
    calls = []
    p = counted(calls)
    for i in range(1, 5):
        assert float(grad(lambda x: p.bind(x, by=[1]))(3.0)) == 2.0
        assert calls == ["jvp"] * i


def test_not_used_while_results_are_inspected():
    calls = []
    p = counted(calls)
    f = grad(p.bind)
    for _ in range(3):
        f(1.0)
    calls.clear()
    with adlib.enable_checks(True):
        assert not derive.usable()
        f(1.0)
    assert calls == ["jvp"] and derive.usable()


def test_not_used_while_tracing():
    calls = []
    p = counted(calls)
    for _ in range(3):
        adlib.make_jaxpr(grad(p.bind))(1.0)
    assert calls == ["jvp"] * 3 and p.derived == {}


def test_clear_caches_forgets_them():
    f = grad(lambda x: jnp.sum(jnp.cosh(x)))
    for _ in range(3):
        f(jnp.ones(3))
    assert core.registry["cosh"].derived
    adlib.clear_caches()
    assert not any(p.derived or p.eager_cache for p in core.registry.values())
    assert float(f(jnp.zeros(3))[0]) == 0.0


def test_a_call_is_one_operation_between_interpreters_only():
    closed = adlib.make_jaxpr(lambda x: jnp.sin(x) * 2)(1.0)
    derived = derive.Derived(closed)
    assert float(derived([jnp.float32(0.0)])[0]) == 0.0
    assert float(grad(lambda x: derived([x])[0])(0.0)) == 2.0
    assert vmap(lambda x: derived([x])[0])(jnp.zeros(2)).tolist() == [0, 0]
    names = [e.primitive.name for e in adlib.make_jaxpr(lambda x: derived([x]))(1.0).eqns]
    assert names == ["sin", "mul"]


def test_lookup_tells_the_first_sighting_from_later_ones():
    p, made = core.Primitive("p"), []
    make = lambda: made.append(1) or "program"  # noqa: E731
    assert [derive.lookup(p, "key", make) for _ in range(3)] == [None, "program", "program"]
    assert derive.lookup(p, ["unhashable"], make) is None and made == [1]


def test_an_error_in_a_rule_is_raised_each_time():
    p = core.Primitive("failing")
    p.def_abstract_eval(lambda x: x)
    p.def_impl(lambda x: x)
    p.def_jvp(lambda primals, tangents: 1 / 0)
    for _ in range(4):
        with pytest.raises(ZeroDivisionError):
            grad(p.bind)(1.0)
    p.def_jvp(lambda primals, tangents: (p.bind(*primals), tangents[0] * 3.0))
    for _ in range(3):
        assert float(grad(p.bind)(1.0)) == 3.0


def kept():
    return sum(len(p.derived) + len(p.eager_cache) for p in core.registry.values())


FRESH = {
    "grad": lambda x: grad(lambda v: jnp.sum(jnp.sin(v)))(x),
    "jit": lambda x: adlib.jit(lambda v: jnp.sin(v))(x),
    "vmap": lambda x: vmap(lambda v: jnp.sin(v))(x),
    "hessian": lambda x: adlib.hessian(lambda v: jnp.sum(jnp.sin(v)))(x),
    "scan": lambda x: grad(lambda v: adlib.lax.scan(lambda c, u: (c * u, c), 1.0, v)[0])(x),
    "cond": lambda x: grad(lambda v: adlib.lax.cond(True, jnp.sum, jnp.prod, v))(x),
    "custom_root": lambda x: grad(
        lambda a: adlib.lax.custom_root(
            lambda v: v**2 - a[0], 1.0, lambda f, v: jnp.sqrt(a[0]), lambda g, y: y / g(1.0)
        )
    )(x),
}


@pytest.mark.parametrize("name", FRESH)
def test_new_functions_of_the_same_operations_add_nothing(name):
    x = jnp.arange(1.0, 4.0)
    for _ in range(5):
        FRESH[name](x)
    before = kept()
    for _ in range(20):
        FRESH[name](x)
    assert kept() == before
