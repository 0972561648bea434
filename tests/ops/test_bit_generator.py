"""rng_bit_generator: blocks of Philox and Threefry, a counter that carries, and messages."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.ops import threefry

STATE = jnp.array([1, 2, 3, 4], jnp.uint32)
FRY = lax.RandomAlgorithm.RNG_THREE_FRY


def test_blocks_in_order():
    words = [w for i in range(3) for w in threefry.block(1, 2, 3 + i, 4)]
    state, bits = lax.rng_bit_generator(STATE, (5,), algorithm=FRY)
    assert bits.tolist() == words[:5] and state.tolist() == [1, 2, 6, 4]
    _, narrow = lax.rng_bit_generator(STATE, (5,), dtype=jnp.uint8, algorithm=FRY)
    assert narrow.dtype == jnp.uint8 and narrow.tolist() == [w & 0xFF for w in words[:5]]
    with adlib.enable_x64(True):
        state, wide = lax.rng_bit_generator(STATE, (3,), dtype=jnp.uint64, algorithm=FRY)
        assert wide.tolist() == [words[2 * i] | words[2 * i + 1] << 32 for i in range(3)]
        state, bits = lax.rng_bit_generator(jnp.array([1, 2], jnp.uint64), (3,), algorithm=FRY)
        assert state.tolist() == [1, 4] and bits[0] == threefry.block(1, 0, 2, 0)[0]


def test_the_counter_carries():
    start = jnp.array([0, 0, 2**32 - 1, 7], jnp.uint32)
    assert lax.rng_bit_generator(start, (4,), algorithm=FRY)[0].tolist() == [0, 0, 1, 8]
    assert lax.rng_bit_generator(start, (8,))[0].tolist() == [0, 0, 1, 8]


PHILOX = [  # a state, and the first words from it; those of zeros are the paper's test vector
    ([0, 0, 0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([1, 2, 3, 4], [512747620, 1298009047, 1267190206, 761827841, 1383286907]),
    ([5, 0, 0, 0], [1930677976, 2808980255, 3622555096, 809166183, 3121686084]),
    ([1, 2, 2**32 - 1, 2**32 - 1], [875035680, 2457449792, 952865925, 536199321, 67759320]),
]


@pytest.mark.parametrize(("state", "words"), PHILOX)
def test_philox_is_the_default(state, words):
    start = jnp.array(state, jnp.uint32)
    assert lax.rng_bit_generator(start, (len(words),))[1].tolist() == words
    _, same = lax.rng_bit_generator(start, (5,), algorithm=lax.RandomAlgorithm.RNG_PHILOX)
    assert same.tolist()[: len(words)] == words
    _, narrow = lax.rng_bit_generator(start, (4,), dtype=jnp.uint16)
    assert narrow.tolist() == [w & 0xFFFF for w in words[:4]]
    with adlib.enable_x64(True):
        _, wide = lax.rng_bit_generator(start, (2,), dtype=jnp.uint64)
        assert wide.tolist() == [words[0] | words[1] << 32, words[2] | words[3] << 32]


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((2, 4), [0, 2, 4, 6, 1, 3, 5, 7]),
        ((3, 4), list(range(12))),
        ((3, 5), [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16]),
        ((5, 3), [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11, 12, 14, 16]),
        ((3, 2, 2), [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11]),
        ((), [0]),
    ],
)
def test_where_the_words_of_a_block_of_threefry_stand(shape, order):
    words = [w for i in range(9) for w in threefry.block(1, 2, 3 + i, 4)]
    state, bits = lax.rng_bit_generator(STATE, shape, algorithm=FRY)
    assert bits.shape == shape and np.ravel(bits).tolist() == [words[i] for i in order]
    assert state.tolist() == [1, 2, 3 + max(order) // 2 + 1, 4]


def test_a_stream_goes_on_where_it_stopped():
    state, first = lax.rng_bit_generator(STATE, (4,))
    _, second = lax.rng_bit_generator(state, (4,))
    _, both = lax.rng_bit_generator(STATE, (8,))
    assert both.tolist() == [*first.tolist(), *second.tolist()]
    states = jnp.stack([STATE, state])
    _, rows = adlib.vmap(lambda s: lax.rng_bit_generator(s, (4,)))(states)
    assert np.array_equal(rows, [first, second])


def test_mistakes_are_explained():
    with pytest.raises(
        TypeError, match=r"state must be of type u32\[4\] or u64\[2\], got u32\[2\]"
    ):
        lax.rng_bit_generator(STATE[:2], (3,))
    with pytest.raises(TypeError, match="dtype float32 is none"):
        lax.rng_bit_generator(STATE, (3,), dtype=jnp.float32)


def test_in_a_jaxpr():
    text = str(adlib.make_jaxpr(lambda s: lax.rng_bit_generator(s, (3,)))(STATE))
    assert "rng_bit_generator[" in text and "algorithm=RNG_DEFAULT" in text
