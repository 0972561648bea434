"""Keys: typed and raw ones give the same, in every transformation; misuse is explained."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax, random
from adlib.core.dtypes import key_fry


def words(keys):
    return np.asarray(random.key_data(keys)).tolist()


def test_seeds():
    assert words(random.key(42)) == words(random.PRNGKey(42)) == [0, 42]
    assert words(random.PRNGKey(-1)) == [0, 2**32 - 1]
    assert words(random.PRNGKey(2**40 + 5)) == [0, 5]
    assert words(random.PRNGKey(np.uint32(2**32 - 1))) == [0, 2**32 - 1]
    with adlib.enable_x64(True):
        assert words(random.PRNGKey(2**40 + 5)) == [256, 5]
        assert words(random.PRNGKey(-1)) == [2**32 - 1, 2**32 - 1]
    assert words(adlib.jit(random.PRNGKey)(7)) == [0, 7]
    assert words(adlib.vmap(random.key)(jnp.arange(3))) == [[0, 0], [0, 1], [0, 2]]


def test_typed_keys_show_their_words():
    key = random.key(42)
    assert repr(key) == "Array((), dtype=key<fry>) overlaying:\n[ 0 42]"
    assert key.dtype == key_fry == random.key_dtype() and key.shape == ()
    assert random.key_impl(key) == "threefry2x32"
    pair = random.split(key)
    assert pair.shape == (2,) and repr(pair).startswith("Array((2,), dtype=key<fry>) overlaying:")
    first, second = pair
    assert words(first) == words(pair[0]) and words(second) == words(pair[1])
    assert words(random.wrap_key_data(random.PRNGKey(42))) == [0, 42]
    assert words(random.clone(key)) == [0, 42]


def test_typed_and_raw_keys_give_the_same():
    typed, raw = random.key(3), random.PRNGKey(3)
    assert words(random.split(typed, 4)) == random.split(raw, 4).tolist()
    assert random.split(raw, (2, 3)).shape == (2, 3, 2)
    assert words(random.fold_in(typed, 9)) == random.fold_in(raw, 9).tolist()
    assert random.fold_in(raw, jnp.int32(9)).tolist() == random.fold_in(raw, 9).tolist()
    assert random.normal(typed, (3,)).tolist() == random.normal(raw, (3,)).tolist()
    assert random.normal(np.asarray(raw), (3,)).tolist() == random.normal(raw, (3,)).tolist()


@pytest.mark.parametrize("make", [random.key, random.PRNGKey])
def test_keys_in_transformations(make):
    keys = random.split(make(0), 5)
    draw = lambda k: random.uniform(k, (2,))  # noqa: E731
    looped = [draw(keys[i]).tolist() for i in range(5)]
    assert adlib.vmap(draw)(keys).tolist() == looped
    assert adlib.jit(adlib.vmap(draw))(keys).tolist() == looped
    assert lax.map(draw, keys).tolist() == looped

    def step(key, _):
        key, used = random.split(key)
        return key, random.uniform(used)

    key, scanned = make(1), []
    for _ in range(4):
        key, value = step(key, None)
        scanned.append(float(value))
    last, values = lax.scan(step, make(1), None, length=4)
    assert values.tolist() == pytest.approx(scanned, abs=0) and words(last) == words(key)


def test_vmap_over_folded_data_and_over_both():
    folded = adlib.vmap(random.fold_in, (None, 0))(random.key(0), jnp.arange(3, dtype=jnp.uint32))
    assert words(folded) == [words(random.fold_in(random.key(0), i)) for i in range(3)]
    split = adlib.vmap(lambda k: random.split(k, 2))(random.split(random.key(1), 3))
    assert split.shape == (3, 2)
    both = adlib.vmap(adlib.vmap(random.fold_in, (None, 0)), (0, None))(folded, jnp.arange(2))
    assert words(both)[2][1] == words(random.fold_in(random.fold_in(random.key(0), 2), 1))


def test_keys_move_like_arrays():
    keys = random.split(random.key(0), 6)
    assert words(keys.reshape(2, 3)[1, 0]) == words(keys[3])
    assert words(keys[::2]) == [words(keys[i]) for i in (0, 2, 4)]
    assert words(jnp.stack([keys[1], keys[0]])) == [words(keys[1]), words(keys[0])]
    assert words(jnp.where(jnp.array([True, False]), keys[:2], keys[2:4])) == [
        words(keys[0]),
        words(keys[3]),
    ]


def test_keys_compare():
    keys = random.split(random.key(0), 3)
    assert (keys == keys[1]).tolist() == [False, True, False]
    assert (keys != keys[1]).tolist() == [True, False, True]


def test_gradient_goes_past_keys():
    def loss(w, key):
        return jnp.sum(w * random.normal(key, (3,)))

    for key in (random.key(0), random.PRNGKey(0)):
        gradient = adlib.grad(loss)(jnp.ones(3), key)
        assert gradient.tolist() == random.normal(key, (3,)).tolist()
        assert adlib.jit(adlib.grad(loss))(jnp.ones(3), key).tolist() == gradient.tolist()


def test_jaxpr_shows_the_primitives():
    text = str(adlib.make_jaxpr(lambda k: random.split(k, 3))(random.PRNGKey(0)))
    for line in (
        "b:key<fry>[] = random_wrap[impl=fry] a",
        "c:key<fry>[3] = random_split[shape=(3,)] b",
        "d:u32[3,2] = random_unwrap c",
    ):
        assert line in text
    text = str(adlib.make_jaxpr(lambda k: random.fold_in(k, 3))(random.key(0)))
    assert "random_fold_in a 3:u32[]" in text


MISTAKES = [
    (lambda: random.uniform(0), TypeError, "a key is wanted, got 0 of type <class 'int'>"),
    (lambda: random.uniform(jnp.zeros(3)), TypeError, r"got an array of type f32\[3\]"),
    (lambda: random.uniform(random.split(random.key(0))), ValueError,
     r"uniform accepts a single key, but was given a key array of shape \(2,\) != \(\)"),
    (lambda: random.split(random.split(random.PRNGKey(0), 3)), ValueError,
     r"shape \(3, 2\) != \(2,\).\n.*\n.*vmap"),
    (lambda: random.key(1.5), TypeError, r"PRNG key seed must be an integer; got f32\[\]"),
    (lambda: random.key(jnp.arange(2)), TypeError, "use vmap.random.key..seeds. for an array"),
    (lambda: random.key(0, impl="rbg"), ValueError, "unrecognized PRNG implementation 'rbg'"),
    (lambda: random.fold_in(random.key(0), -1), OverflowError, "-1 out of bounds for uint32"),
    (lambda: random.fold_in(random.key(0), jnp.arange(2)), TypeError, "fold_in accepts a scalar"),
    (lambda: random.wrap_key_data(jnp.zeros(3, jnp.uint32)), TypeError, r"got u32\[3\]"),
    (lambda: random.split(random.key(0), -1), ValueError, "sizes must be at least 0"),
    (lambda: np.asarray(random.key(0)), TypeError, "key_data"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, message", MISTAKES)
def test_mistakes_are_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_arithmetic_with_keys_is_an_error():
    with pytest.raises((TypeError, ValueError)):
        random.key(0) + 1


def test_keys_are_no_numbers():
    with pytest.raises(TypeError, match="cannot be combined in arithmetic"):
        random.key(0) + 1
