"""Primitives: rules in one place, and primitives made by hand."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import grad, jit, jvp, make_jaxpr, vmap
from adlib.core import (
    Absent,
    Primitive,
    Sample,
    ShapedArray,
    UndefinedPrimal,
    Zero,
    define_primitive,
    registry,
)


def made_by_hand(name="cube"):
    """x³ as a learner writes it in a notebook, rule by rule."""
    cube = Primitive(name)

    @cube.def_impl
    def _(x):
        return x**3

    @cube.def_abstract_eval
    def _(x):
        return ShapedArray(x.shape, x.dtype)

    @cube.def_jvp
    def _(primals, tangents):
        (x,), (t,) = primals, tangents
        y = cube.bind(x)
        return y, Zero.like(y) if type(t) is Zero else t * (3.0 * x * x)

    @cube.def_batch
    def _(axis, args, dims):
        return cube.bind(*args), dims[0]

    return cube


def test_a_primitive_made_by_hand_under_every_transformation():
    f = made_by_hand().bind
    x = jnp.array([1.0, 2.0])
    for _ in range(3):
        assert f(x).tolist() == [1, 8]
        assert jit(f)(x).tolist() == [1, 8]
        assert vmap(f)(x).tolist() == [1, 8]
        assert jvp(f, (x,), (x,))[1].tolist() == [3, 24]
        assert grad(f)(x[1]) == 12
        assert grad(grad(f))(x[1]) == 12
        assert vmap(grad(f))(x).tolist() == [3, 12]
        assert adlib.jacrev(f)(x).tolist() == [[3, 0], [0, 12]]
        assert jit(grad(lambda v: vmap(f)(v).sum()))(x).tolist() == [3, 12]
    assert str(make_jaxpr(f)(x)) == "{ lambda ; a:f32[2]. let b:f32[2] = cube a in (b,) }"
    assert repr(made_by_hand("cubed")) == "cubed"


def test_a_linear_primitive_needs_a_transpose_rule():
    flip = Primitive("flip")
    flip.def_impl(lambda x: x[::-1])
    flip.def_abstract_eval(lambda x: x)
    flip.def_jvp(lambda primals, tangents: (flip.bind(*primals), flip.bind(*tangents)))
    flip.def_transpose(lambda ct, x: (flip.bind(ct),))
    x = jnp.array([1.0, 2.0])
    f = lambda x: jnp.sum(flip.bind(x) * jnp.array([5.0, 7.0]))  # noqa: E731
    for _ in range(3):
        assert grad(f)(x).tolist() == [7, 5]
    assert adlib.linear_transpose(flip.bind, x)(x)[0].tolist() == [2, 1]


def test_rules_given_again_replace_what_followed_from_the_old_ones():
    p = made_by_hand()
    for _ in range(3):
        assert float(grad(p.bind)(jnp.float32(2))) == 12
    assert p.eager_cache and p.derived
    p.def_impl(lambda x: x**4)
    p.def_jvp(lambda primals, tangents: (p.bind(*primals), tangents[0] * 100.0))
    assert not p.eager_cache and not p.derived
    for _ in range(3):
        assert float(p.bind(jnp.float32(2))) == 16
        assert float(grad(p.bind)(jnp.float32(2))) == 100


def test_an_implementation_may_compute_with_arrays():
    p, q = Primitive("p"), Primitive("q", multiple_results=True)
    p.def_abstract_eval(lambda x: x)
    p.def_impl(lambda x: jnp.sin(x))
    q.def_abstract_eval(lambda x: [x, x])
    q.def_impl(lambda x: [jnp.sin(x), x])
    assert type(p.bind(jnp.ones(2))._value) is np.ndarray
    assert [type(y._value) for y in q.bind(jnp.ones(2))] == [np.ndarray] * 2
    assert jit(p.bind)(jnp.zeros(2)).tolist() == [0, 0]


def test_parameters_and_several_results():
    split = Primitive("split", multiple_results=True)
    split.def_abstract_eval(
        lambda x, *, at: [x.update(shape=(at,)), x.update(shape=(x.size - at,))]
    )
    split.def_impl(lambda x, *, at: (x[:at], x[at:]))
    for at in (1, 2, 1, 2):
        a, b = split.bind(jnp.arange(5), at=at)
        assert (a.size, b.size) == (at, 5 - at)
    assert "split[at=2] a" in str(make_jaxpr(lambda x: split.bind(x, at=2))(jnp.arange(5)))


def test_unhashable_parameters_work():
    p = Primitive("p")
    p.def_abstract_eval(lambda x, *, by: x)
    p.def_impl(lambda x, *, by: x + by[0])
    for _ in range(3):
        assert int(p.bind(jnp.int32(1), by=[2])) == 3
    assert not p.eager_cache


bare = Primitive("bare")
only_shape = Primitive("only_shape")
only_shape.def_abstract_eval(lambda x: x)
plain = define_primitive("_test_plain", shape=lambda x: x, impl=lambda xp, x: xp.negative(x))
reasoned = define_primitive(
    "_test_reasoned", shape=lambda x: x, impl=lambda xp, x: x,
    jvp=Absent("steps have no derivative", ValueError),
)  # fmt: skip
registry.pop("_test_plain"), registry.pop("_test_reasoned")
x = jnp.ones(2)

# name: (what is asked, error, pieces of the message)
MISSING = {
    "shape": (lambda: bare.bind(x), NotImplementedError, ["bare has no shape rule"]),
    "impl": (lambda: only_shape.bind(x), NotImplementedError,
             ["Evaluation rule for 'only_shape' not implemented"]),
    "impl in jit": (lambda: jit(only_shape.bind)(x), NotImplementedError,
                    ["Evaluation rule for 'only_shape' not implemented"]),
    "jvp": (lambda: jvp(plain.bind, (x,), (x,)), NotImplementedError,
            ["Differentiation rule for '_test_plain' not implemented", "test_primitive.py"]),
    "jvp in grad": (lambda: grad(lambda x: jnp.sum(plain.bind(x)))(x), NotImplementedError,
                    ["Differentiation rule for '_test_plain'"]),
    "batch": (lambda: vmap(plain.bind)(x), NotImplementedError,
              ["Batching rule for '_test_plain' not implemented", "test_primitive.py"]),
    "transpose": (lambda: adlib.linear_transpose(plain.bind, x)(x), NotImplementedError,
                  ["Transpose rule (for reverse-mode differentiation) for '_test_plain'",
                   "must be linear in", "custom_jvp"]),
    "with its reason": (lambda: jvp(reasoned.bind, (x,), (x,)), ValueError,
                        ["steps have no derivative", "test_primitive.py"]),
    "no array": (lambda: plain.bind(1.0), TypeError, ["<class 'float'>, which is no array"]),
    "name taken": (lambda: define_primitive("sin", shape=None), ValueError,
                   ["a primitive named 'sin' exists already"]),
    "unknown kind of rule": (lambda: define_primitive("_new", shape=None, vjp=len), TypeError,
                             ["'vjp' is no rule of a primitive"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_missing_rules_and_mistakes(name):
    ask, error, pieces = MISSING[name]
    for _ in range(2):
        with pytest.raises(error) as caught:
            ask()
        for piece in pieces:
            assert piece in str(caught.value)
    assert "_new" not in registry


def test_definition_with_a_prepared_kernel_and_samples():
    prepared = []

    def kernel(xp, *, power):
        prepared.append(power)
        return lambda x: x**power

    p = define_primitive(
        "_test_power",
        shape=lambda x, *, power: x,
        kernel=kernel,
        samples=lambda: [Sample((np.ones(2),), {"power": 2}, "square")],
        infix=None,
        effect=False,
    )
    try:
        assert registry["_test_power"] is p
        assert [s.name for s in p.samples()] == ["square"] and Sample(()).params == {}
        for _ in range(3):
            assert p.bind(jnp.array([3.0]), power=2).tolist() == [9]
        assert prepared == [2]
    finally:
        registry.pop("_test_power")


def test_abstract_is_always_a_list():
    aval = ShapedArray((2,), np.dtype("float32"))
    assert plain.abstract([aval], {}) == [aval]
    assert repr(UndefinedPrimal(aval)) == "UndefinedPrimal(f32[2])"
