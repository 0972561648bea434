"""The Threefry-2x32 generator on arrays of 32-bit words.

Counter-based random numbers: a key scrambles a counter through twenty rounds of additions,
rotations and exclusive-ors, so any element of a stream can be computed on its own (Salmon,
Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

# Rotation distances of the rounds, table 2 of the paper; the two rows alternate.
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA  # the key schedule's constant for 32-bit words (Skein's, truncated)
_MASK = 0xFFFFFFFF
# Blocks that are worked on at a time: three buffers of 64 KB stay within a core's cache.
CHUNK = 1 << 14


def block(k0: int, k1: int, x0: int, x1: int) -> tuple[int, int]:
    """One block in Python integers: for a few blocks quicker than twenty rounds of array calls."""
    keys = (k0, k1, k0 ^ k1 ^ _PARITY)
    x0, x1 = (x0 + k0) & _MASK, (x1 + k1) & _MASK
    for i in range(5):
        for r in _ROTATIONS[i % 2]:
            x0 = (x0 + x1) & _MASK
            x1 = ((x1 << r | x1 >> (32 - r)) & _MASK) ^ x0
        x0 = (x0 + keys[(i + 1) % 3]) & _MASK
        x1 = (x1 + keys[(i + 2) % 3] + i + 1) & _MASK
    return x0, x1


def scramble(xp: Any, k0: Any, k1: Any, x0: Any, x1: Any) -> None:
    """Encrypt the blocks (x0, x1) in place; the keys broadcast against them. All uint32."""
    u32 = xp.uint32
    keys = (k0, k1, k0 ^ k1 ^ u32(_PARITY))
    moved = xp.empty_like(x1)
    xp.add(x0, k0, out=x0)
    xp.add(x1, k1, out=x1)
    for i in range(5):
        for r in _ROTATIONS[i % 2]:
            xp.add(x0, x1, out=x0)
            xp.left_shift(x1, u32(r), out=moved)
            xp.right_shift(x1, u32(32 - r), out=x1)
            xp.bitwise_or(x1, moved, out=x1)
            xp.bitwise_xor(x1, x0, out=x1)
        xp.add(x0, keys[(i + 1) % 3], out=x0)
        xp.add(x1, keys[(i + 2) % 3], out=x1)
        xp.add(x1, u32(i + 1), out=x1)


def hash_counters(xp: Any, k0: Any, k1: Any, counters: Any, finish: Any, out: Any) -> None:
    """Scramble a run of counters under each key and store what ``finish`` makes of it.

    Args:
      k0, k1: key words, shape (keys,).
      counters: ``counters(start, stop)`` gives the two counter words of those blocks as
        fresh uint32 arrays of shape (stop - start,).
      finish: ``finish(x0, x1, target)`` writes the scrambled blocks to ``target``.
      out: shape (keys, blocks) or (keys, blocks, words).
    """
    keys, blocks = out.shape[:2]
    if isinstance(out, np.ndarray) and 0 < keys * blocks <= _FEW:
        _few(k0, k1, counters, finish, out)
        return
    # a GPU gains nothing from pieces that fit a cache
    width = min(blocks, CHUNK) if isinstance(out, np.ndarray) else blocks
    height = max(1, CHUNK // max(width, 1)) if isinstance(out, np.ndarray) else keys
    for start in range(0, blocks, max(width, 1)):
        stop = min(start + width, blocks)
        c0, c1 = counters(start, stop)
        if keys == 1:
            scramble(xp, k0, k1, c0, c1)
            finish(c0, c1, out[0, start:stop])
            continue
        for row in range(0, keys, height):
            some = slice(row, min(row + height, keys))
            shape = (some.stop - row, stop - start)
            x0 = xp.empty(shape, xp.uint32)
            x1 = xp.empty(shape, xp.uint32)
            x0[...] = c0
            x1[...] = c1
            scramble(xp, k0[some, None], k1[some, None], x0, x1)
            finish(x0, x1, out[some, start:stop])


# ------------------------------------------------------------------- a few blocks
#
# Twenty rounds of array calls cost more than the arithmetic as long as there are few blocks.
# Python's integers are wide enough to hold all blocks at once, one to each slot of 64 bits:
# sums and shifts of 32-bit words do not leave their slot, and a mask clears what they spill
# into its upper half.

_FEW = 200


@functools.lru_cache(maxsize=_FEW + 1)
def _ones(lanes: int) -> int:
    """1 in every slot."""
    return sum(1 << 64 * i for i in range(lanes))


def scramble_packed(lanes: int, k0: int, k1: int, x0: int, x1: int) -> tuple[int, int]:
    """Encrypt blocks that are packed into integers, one block to a slot of 64 bits."""
    ones = _ones(lanes)
    mask = _MASK * ones
    keys = (k0, k1, k0 ^ k1 ^ _PARITY * ones)
    x0, x1 = (x0 + k0) & mask, (x1 + k1) & mask
    for i in range(5):
        for r in _ROTATIONS[i % 2]:
            x0 = (x0 + x1) & mask
            x1 = ((x1 << r | x1 >> (32 - r)) & mask) ^ x0
        x0 = (x0 + keys[(i + 1) % 3]) & mask
        x1 = (x1 + keys[(i + 2) % 3] + (i + 1) * ones) & mask
    return x0, x1


def _packed(words: Any) -> int:
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


def _few(k0: Any, k1: Any, counters: Any, finish: Any, out: Any) -> None:
    keys, blocks = out.shape[:2]
    lanes = keys * blocks
    ones = _ones(lanes)
    c0, c1 = counters(0, blocks)
    if keys == 1:
        a, b = int(k0[0]) * ones, int(k1[0]) * ones
    else:
        c0, c1 = np.tile(c0, keys), np.tile(c1, keys)
        a, b = _packed(np.repeat(k0, blocks)), _packed(np.repeat(k1, blocks))
    scrambled = scramble_packed(lanes, a, b, _packed(c0), _packed(c1))
    x0, x1 = (
        np.frombuffer(x.to_bytes(8 * lanes, "little"), "<u8").astype(np.uint32) for x in scrambled
    )
    finish(x0.reshape(keys, blocks), x1.reshape(keys, blocks), out)
