"""Random numbers as native code: the same bits as the reference executor's, to the last."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, random
from adlib.compile import engine, random_keys
from adlib.compile.program import Compiled
from adlib.compile.schedule import Call, Group
from adlib.core import ClosedJaxpr
from adlib.core.dtypes import KeyDType
from tests.compile.test_every_primitive import compile_and_compare

pytestmark = pytest.mark.skipif(not engine.available(), reason="needs llvmlite")


def raw(x):
    """An array's memory: words of keys, numbers of anything else."""
    return np.asarray(random.key_data(x) if isinstance(x.dtype, KeyDType) else x)


def agree(f, *args, exact=True):
    with adlib.config.override(jit_backend="native"):
        got = adlib.jit(f)(*args)
    with adlib.config.override(jit_backend="python"):
        wanted = adlib.jit(lambda *a: f(*a))(*args)
    for g, w in zip(adlib.tree.leaves(got), adlib.tree.leaves(wanted), strict=True):
        assert g.dtype == w.dtype and g.shape == w.shape
        if exact:
            np.testing.assert_array_equal(raw(g), raw(w))
        else:
            np.testing.assert_allclose(raw(g), raw(w), rtol=3e-6, atol=1e-6)


def native(f, *args):
    closed = adlib.make_jaxpr(f)(*args)
    compiled = Compiled(closed)
    assert not any(type(s) is Call for s in compiled.schedule.steps), compiled.source
    return compiled


KEYS = [random.key(0), random.PRNGKey(2**31 + 5), random.fold_in(random.key(7), 11)]


@pytest.mark.parametrize("key", KEYS, ids=["typed", "raw", "folded"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (0, 4), (2, 3, 40)])
def test_bits(key, dtype, shape):
    with adlib.enable_x64():
        agree(lambda k: random.bits(k, shape, dtype), key)


@pytest.mark.parametrize("key", KEYS, ids=["typed", "raw", "folded"])
def test_keys(key):
    agree(random.split, key)
    agree(lambda k: random.split(k, (2, 3)), key)
    agree(lambda k: random.split(k, 0), key)
    agree(lambda k: random.fold_in(k, 2**32 - 1), key)
    agree(lambda k: [random.fold_in(k, i) for i in (0, 1)] + list(random.split(k, 3)), key)
    agree(lambda k: random.bits(random.split(k, 5)[3], (4,)), key)


@pytest.mark.parametrize("seed", [0, -1, 2**31 - 1, -(2**31)])
def test_seeds(seed):
    agree(random.key, seed)
    agree(random.PRNGKey, seed)


def test_wide_seeds():
    with adlib.enable_x64():
        for seed in (2**40 + 3, -(2**50), -1):
            agree(random.key, seed)


def test_words_of_keys():
    keys = random.split(random.key(3), (2, 2))
    agree(random.key_data, keys)
    agree(random.wrap_key_data, random.key_data(keys))
    agree(lambda k: random.clone(k), keys)


def test_keys_move_like_other_arrays():
    keys = random.split(random.key(3), 6)
    agree(lambda k: k.reshape(2, 3).T[::2], keys)
    agree(lambda k: jnp.concatenate([k[3:], k[:1]]), keys)
    agree(lambda k: k[jnp.array([4, 0])], keys)
    agree(lambda k, p: jnp.where(p, k, k[0]), keys, jnp.arange(6) % 2 == 0)


@pytest.mark.parametrize("draw", [random.uniform, random.normal, random.exponential,
                                  random.rademacher, random.bernoulli])  # fmt: skip
def test_distributions(draw):
    f = lambda k: draw(k, shape=(5, 6))  # noqa: E731
    agree(f, random.key(1), exact=draw in (random.rademacher, random.bernoulli))
    native(f, random.key(1))


def test_integers_and_shuffles():
    agree(lambda k: random.randint(k, (50,), -3, 12), random.key(1))
    agree(lambda k: random.permutation(k, 20), random.key(1))
    agree(lambda k: random.choice(k, 9, (4,)), random.key(1))


def test_transformed():
    keys = random.split(random.key(0), 4)
    agree(adlib.vmap(lambda k: random.bits(k, (3,))), keys)
    agree(adlib.vmap(lambda k, i: random.fold_in(k, i)), keys, jnp.arange(4))
    agree(adlib.vmap(random.split, in_axes=0, out_axes=1), keys)
    f = lambda k, x: jnp.sum(jnp.where(random.bernoulli(k, 0.5, x.shape), x**2, 0))  # noqa: E731
    x = jnp.arange(12.0).reshape(3, 4)
    agree(adlib.grad(f, 1), random.key(5), x)
    agree(adlib.vmap(adlib.grad(f, 1), (0, None)), keys, x)


@pytest.mark.parametrize("typed", [True, False])
def test_keys_that_are_carried(typed):
    key = random.key(2) if typed else random.PRNGKey(2)

    def step(key, _):
        key, sub = random.split(key)
        return key, random.bits(sub, (3,))

    def walk(key):
        return lax.scan(step, key, None, length=5)

    def until(key):
        return lax.while_loop(
            lambda c: random.bits(c[0], (), "uint8") > 20, lambda c: (step(c[0], 0)[0], c[1] + 1),
            (key, 0),
        )  # fmt: skip

    def either(key, p):
        return lax.cond(p, lambda k: random.split(k)[0], lambda k: k, key)

    agree(walk, key)
    agree(until, key)
    agree(either, key, True)
    agree(either, key, False)
    native(walk, key)
    native(until, key)
    native(either, key, True)


def test_draws_are_computed_where_they_are_read():
    """Dropout is one pass over memory."""
    f = lambda k, x: jnp.where(random.bernoulli(k, 0.9, x.shape), x / 0.9, 0)  # noqa: E731
    compiled = native(f, random.key(0), jnp.ones((300, 200)))
    big = [s for s in compiled.schedule.steps if type(s) is Group and s.space == (300, 200)]
    assert len(big) == 1


def test_other_layouts_of_counters_are_left_to_kernels():
    with adlib.threefry_partitionable(False):
        agree(lambda k: (random.bits(k, (5,)), random.split(k, 3)), random.key(0))
        closed = adlib.make_jaxpr(lambda k: random.bits(k, (5,)))(random.key(0))
        assert any(type(s) is Call for s in Compiled(closed).schedule.steps)
    agree(lambda k: (random.bits(k, (5,)), random.split(k, 3)), random.key(0))


def test_primitives_without_arithmetic_keep_their_kernels():
    agree(lambda k: random.gamma(k, 2.0, (3,)), random.key(0))
    agree(lambda k: random.gamma(random.split(k)[0], jnp.ones((2, 3))), random.key(0))


@pytest.mark.parametrize("algorithm", ["RNG_DEFAULT", "RNG_THREE_FRY", "RNG_PHILOX"])
@pytest.mark.parametrize("shape, dtype", [((5,), "uint32"), ((2, 3), "uint8"), ((3,), "uint64")])
def test_bit_generator(shape, dtype, algorithm):
    """Threefry's words in order are arithmetic; otherwise the kernel makes them."""
    chosen = getattr(lax.RandomAlgorithm, algorithm)
    with adlib.enable_x64():
        state = np.array([1, 2, 2**32 - 2, 7], np.uint32)
        for s in (state, state.view(np.uint64)):
            closed = adlib.make_jaxpr(
                lambda s: lax.rng_bit_generator(s, shape, dtype, algorithm=chosen)
            )(s)
            compiled = compile_and_compare(closed, [s])
            assert compiled.schedule.native == (algorithm == "RNG_THREE_FRY" and len(shape) == 1)


def test_programs_without_keys_are_left_alone():
    closed = adlib.make_jaxpr(lambda x: jnp.sin(x))(1.0)
    assert random_keys.as_integers(closed) is closed
    assert isinstance(random_keys.as_integers(adlib.make_jaxpr(random.key)(0)), ClosedJaxpr)
