"""Philox-4x32 with ten rounds: blocks of four words from a key and a counter.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_ROUNDS = 10
_HALF = np.uint64(32)


def words(xp: Any, key: Any, counters: Any, blocks: int) -> Any:
    """The words of consecutive blocks.

    Args:
      key: uint32 of shape (n, 2); it is the upper half of the counter as well.
      counters: uint64 of shape (n,): the number of the first block, the lower half.
      blocks: how many.

    Returns:
      uint32 of shape (n, 4 * blocks).
    """
    numbers = counters[:, None] + xp.arange(blocks, dtype=xp.uint64)
    k0, k1 = key[:, :1], key[:, 1:]
    # 128 bits in all: where the lower half runs over, the upper half goes on
    over = (numbers < counters[:, None]).astype(xp.uint32)
    upper = k0 + over
    block = [
        numbers.astype(xp.uint32),
        (numbers >> _HALF).astype(xp.uint32),
        upper,
        k1 + (over & (upper == 0)),
    ]
    for _ in range(_ROUNDS):
        first = block[0].astype(xp.uint64) * _MULTIPLIERS[0]
        second = block[2].astype(xp.uint64) * _MULTIPLIERS[1]
        block = [
            (second >> _HALF).astype(xp.uint32) ^ block[1] ^ k0,
            second.astype(xp.uint32),
            (first >> _HALF).astype(xp.uint32) ^ block[3] ^ k1,
            first.astype(xp.uint32),
        ]
        k0, k1 = k0 + _STEPS[0], k1 + _STEPS[1]
    return xp.stack(block, axis=-1).reshape(key.shape[0], 4 * blocks)
