"""rng_bit_generator: blocks of Threefry, a counter that carries, and messages."""

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
        state, wide = lax.rng_bit_generator(STATE, (3,), dtype=jnp.uint64)
        assert wide.tolist() == [words[2 * i] | words[2 * i + 1] << 32 for i in range(3)]
        state, bits = lax.rng_bit_generator(jnp.array([1, 2], jnp.uint64), (3,))
        assert state.tolist() == [1, 4] and bits[0] == threefry.block(1, 0, 2, 0)[0]


def test_the_counter_carries():
    state, _ = lax.rng_bit_generator(jnp.array([0, 0, 2**32 - 1, 7], jnp.uint32), (4,))
    assert state.tolist() == [0, 0, 1, 8]


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
