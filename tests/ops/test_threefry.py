"""Threefry-2x32 against the known answers that its authors publish with Random123."""

import numpy as np
import pytest

from adlib.ops import threefry

ONES = 0xFFFFFFFF
KNOWN_ANSWERS = [  # key, counter, result of 20 rounds
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize("key, counter, expected", KNOWN_ANSWERS)
def test_known_answers(key, counter, expected):
    assert threefry.block(*key, *counter) == expected
    k0, k1 = (np.array([k], np.uint32) for k in key)
    x0, x1 = (np.full(5, x, np.uint32) for x in counter)
    threefry.scramble(np, k0, k1, x0, x1)
    assert x0.tolist() == [expected[0]] * 5 and x1.tolist() == [expected[1]] * 5


def test_pieces_join_without_a_seam():
    keys, blocks = 3, 2 * threefry.CHUNK + 5
    k0 = np.arange(keys, dtype=np.uint32)
    k1 = k0 + 7

    def counters(start, stop):
        return np.zeros(stop - start, np.uint32), np.arange(start, stop, dtype=np.uint32)

    def finish(x0, x1, target):
        target[...] = x0 ^ x1

    out = np.empty((keys, blocks), np.uint32)
    threefry.hash_counters(np, k0, k1, counters, finish, out)
    for row, i in ((0, 0), (1, threefry.CHUNK - 1), (2, threefry.CHUNK), (2, blocks - 1)):
        x0, x1 = threefry.block(int(k0[row]), int(k1[row]), 0, i)
        assert out[row, i] == x0 ^ x1
    few = np.empty((1, 3), np.uint32)
    threefry.hash_counters(np, k0[1:2], k1[1:2], counters, finish, few)
    assert few.tolist() == [out[1, :3].tolist()]
