"""Keys and bits as primitives: views of words, counters of both layouts, and shape errors.

Derivative, batching and program rules are tested with every primitive's samples.
"""

import numpy as np
import pytest

from adlib.base.config import config
from adlib.core.array import as_value
from adlib.ops import random_bits as rb
from adlib.ops import threefry


def key(*words):
    return rb.random_wrap(as_value(np.array(words, np.uint32)))


def words(keys):
    return np.asarray(rb.random_unwrap(keys)).tolist()


def test_wrapping_is_a_view():
    keys = key([1, 2], [3, 4])
    assert keys.shape == (2,) and keys.dtype.name == "key<fry>"
    assert words(keys) == [[1, 2], [3, 4]]
    assert words(rb.random_clone(keys)) == [[1, 2], [3, 4]]


def test_seeds_become_words():
    assert words(rb.random_seed(as_value(np.array([5, -1], np.int32)))) == [
        [0, 5],
        [0, 2**32 - 1],
    ]
    with config.override(jax_enable_x64=True):
        assert words(rb.random_seed(as_value(np.array(-2)))) == [2**32 - 1, 2**32 - 2]


def test_counters_of_the_partitionable_layout():
    k = key(3, 4)
    blocks = [threefry.block(3, 4, 0, i) for i in range(4)]
    assert words(rb.random_split(k, (2, 2))) == [[list(b) for b in blocks[:2]],
                                                 [list(b) for b in blocks[2:]]]  # fmt: skip
    xored = [a ^ b for a, b in blocks]
    assert np.asarray(rb.random_bits(k, 32, (4,))).tolist() == xored
    assert np.asarray(rb.random_bits(k, 8, (4,))).tolist() == [x & 0xFF for x in xored]
    assert np.asarray(rb.random_bits(k, 16, (2, 2))).ravel().tolist() == [x & 0xFFFF for x in xored]
    wide = rb.random_bits(k, 64, (4,))._value
    assert wide.tolist() == [a << 32 | b for a, b in blocks]


def test_counters_of_the_older_layout():
    k = key(3, 4)
    pairs = [threefry.block(3, 4, 0, 2), threefry.block(3, 4, 1, 0)]  # 0 1 2 and a padding 0
    halves = [pairs[0][0], pairs[1][0], pairs[0][1]]
    with config.override(jax_threefry_partitionable=False):
        assert np.asarray(rb.random_bits(k, 32, (3,))).tolist() == halves
        two = [threefry.block(3, 4, 0, 1)[i] for i in (0, 1)]
        assert np.asarray(rb.random_bits(k, 16, (3,))).tolist() == [
            two[0] & 0xFFFF,
            two[0] >> 16,
            two[1] & 0xFFFF,
        ]


def test_many_keys_draw_each_their_own():
    keys = key([1, 2], [3, 4], [5, 6])
    for partitionable in (True, False):
        with config.override(jax_threefry_partitionable=partitionable):
            together = np.asarray(rb.random_bits(keys, 32, (2, 3)))
            split = words(rb.random_split(keys, (2,)))
            for i, one in enumerate(([1, 2], [3, 4], [5, 6])):
                assert (
                    together[i].tolist()
                    == np.asarray(rb.random_bits(key(*one), 32, (2, 3))).tolist()
                )
                assert split[i] == words(rb.random_split(key(*one), (2,)))


def test_fold_in_is_one_block():
    data = as_value(np.array([7, 8], np.uint32))
    folded = rb.random_fold_in(key([1, 2], [3, 4]), data)
    assert words(folded) == [list(threefry.block(1, 2, 0, 7)), list(threefry.block(3, 4, 0, 8))]
    assert words(rb.random_fold_in(key(1, 2), as_value(np.uint32(7)))) == words(folded)[0]


def test_threefry_as_a_primitive():
    zero = as_value(np.uint32(0))
    out = rb.threefry2x32(zero, zero, zero, zero)
    assert [int(x) for x in out] == [0x6B200159, 0x99BA4EFE]
    many = rb.threefry2x32(zero, zero, zero, as_value(np.arange(3, dtype=np.uint32)))
    assert [int(m[0]) for m in many] == [0x6B200159, 0x99BA4EFE]


MISTAKES = [
    (
        lambda: rb.random_bits(as_value(np.zeros(2, np.uint32)), 32, ()),
        "random_bits wants typed keys",
    ),
    (lambda: rb.random_bits(key(0, 0), 12, ()), "8, 16, 32 or 64 bits, not 12"),
    (lambda: rb.random_wrap(as_value(np.zeros(3, np.uint32))), "last axis has size 2, got u32"),
    (lambda: rb.random_seed(as_value(1.5)), "must be an integer; got f32"),
    (lambda: rb.random_fold_in(key(0, 0), as_value(1.0)), "takes uint32 data, got f32"),
    (lambda: rb.threefry2x32(1.0, 1.0, 1.0, 1.0), "four uint32 arrays"),
]


@pytest.mark.parametrize("call, message", MISTAKES)
def test_mistakes_are_explained(call, message):
    with pytest.raises(TypeError, match=message):
        call()
