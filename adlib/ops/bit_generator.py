"""rng_bit_generator: random bits with a state that moves on, for those who keep it themselves."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.avals import ShapedArray, Zero
from adlib.core.primitive import Sample, define_primitive
from adlib.ops import philox, threefry
from adlib.ops.operands import operands
from adlib.ops.random_bits import word_sample
from adlib.ops.reshaping import moveaxis


class RandomAlgorithm(enum.IntEnum):
    """Names of generators: Threefry-2x32, and Philox-4x32, which is the default one too.

    >>> import adlib.numpy as jnp
    >>> from adlib import lax
    >>> key = jnp.zeros(4, jnp.uint32)
    >>> lax.rng_bit_generator(key, (2,), algorithm=lax.RandomAlgorithm.RNG_THREE_FRY)[1].shape
    (2,)
    """

    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2

    def __str__(self) -> str:
        return self.name


def _shape(
    key: ShapedArray, *, shape: tuple[int, ...], dtype: Any, algorithm: RandomAlgorithm
) -> list[ShapedArray]:
    state = key.shape[-1:]
    if (key.dtype, state) not in ((np.uint32, (4,)), (np.uint64, (2,))):
        raise TypeError(
            "rng_bit_generator: the state must be of type u32[4] or u64[2], got "
            f"{key.str_short()}.{here()}"
        )
    if dtypes.kind(dtype) != "u":
        raise TypeError(
            f"rng_bit_generator makes unsigned integers, dtype {dtype.name} is none.{here()}"
        )
    return [key, ShapedArray((*key.shape[:-1], *shape), dtype)]


def _impl(
    xp: Any, key: Any, *, shape: tuple[int, ...], dtype: Any, algorithm: RandomAlgorithm
) -> list[Any]:
    leading = key.shape[:-1]
    state = xp.ascontiguousarray(key).view(xp.uint32).reshape(-1, 4)
    draw = threefry_bits if algorithm == RandomAlgorithm.RNG_THREE_FRY else philox_bits
    moved, bits = draw(xp, state, shape, dtype)
    return [moved.view(key.dtype).reshape(key.shape), bits.reshape((*leading, *shape))]


def _counter(xp: Any, state: Any) -> Any:
    """Words 2 and 3 of a state count blocks, the lower one first."""
    return state[:, 2].astype(xp.uint64) | state[:, 3].astype(xp.uint64) << xp.uint64(32)


def _advanced(xp: Any, state: Any, blocks: int) -> Any:
    after = _counter(xp, state) + xp.uint64(blocks)
    moved = state.copy()
    moved[:, 2] = after.astype(xp.uint32)
    moved[:, 3] = (after >> xp.uint64(32)).astype(xp.uint32)
    return moved


def _pair_axis(shape: tuple[int, ...]) -> int:
    """The axis along which a block's two words stand next to each other: the first one of even
    size, else the longest one, which is padded."""
    even = [axis for axis, n in enumerate(shape) if n % 2 == 0]
    return even[0] if even else shape.index(max(shape))


def threefry_bits(xp: Any, state: Any, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    """(the states after, unsigned integers of shape (n, *shape)) from states of shape (n, 4)."""
    rows = state.shape[0]
    wide = np.dtype(dtype).itemsize == 8
    inner = shape or (1,)
    axis = _pair_axis(inner)
    lead, pairs, rest = math.prod(inner[:axis]), (inner[axis] + 1) // 2, inner[axis + 1 :]
    blocks = math.prod(shape) if wide else lead * pairs * math.prod(rest)
    numbers = _counter(xp, state)[:, None] + xp.arange(blocks, dtype=xp.uint64)
    x0, x1 = numbers.astype(xp.uint32), (numbers >> xp.uint64(32)).astype(xp.uint32)
    threefry.scramble(xp, state[:, :1], state[:, 1:2], x0, x1)
    moved = _advanced(xp, state, blocks)
    if wide:
        bits = x0.astype(xp.uint64) | x1.astype(xp.uint64) << xp.uint64(32)
        return moved, bits.reshape((rows, *shape))
    words = [x.reshape((rows, *inner[:axis], pairs, 1, *rest)) for x in (x0, x1)]
    both = xp.concatenate(words, axis=axis + 2)
    both = both.reshape((rows, *inner[:axis], 2 * pairs, *rest))
    kept = both[(slice(None),) * (axis + 1) + (slice(inner[axis]),)]
    return moved, kept.astype(dtype).reshape((rows, *shape))


def philox_bits(xp: Any, state: Any, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    """As ``threefry_bits``. An integer of 64 bits is made of two words, the lower one first; a
    narrow one of the low bits of a word."""
    count = math.prod(shape)
    wide = np.dtype(dtype).itemsize == 8
    blocks = -(-count * (2 if wide else 1) // 4)
    words = philox.words(xp, state[:, :2], _counter(xp, state), blocks)
    bits = (words.view(xp.uint64) if wide else words)[:, :count].astype(dtype)
    return _advanced(xp, state, blocks), bits.reshape((state.shape[0], *shape))


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    outs = rng_bit_generator_p.bind(*primals, **params)
    return outs, [Zero.like(out) for out in outs]


def _batch(axis: Any, args: Sequence[Any], dims: Sequence[Any], **params: Any) -> tuple[Any, Any]:
    return rng_bit_generator_p.bind(moveaxis(args[0], dims[0], 0), **params), [0, 0]


def _params(shape: tuple[int, ...], dtype: Any = np.uint32) -> dict[str, Any]:
    return dict(shape=shape, dtype=np.dtype(dtype), algorithm=RandomAlgorithm.RNG_DEFAULT)


rng_bit_generator_p = define_primitive(
    "rng_bit_generator",
    shape=_shape,
    impl=_impl,
    jvp=_jvp,
    batch=_batch,
    multiple_results=True,
    samples=lambda: [
        Sample((word_sample(4),), _params((3,)), "odd"),
        Sample((word_sample(4),), _params((2, 3)), "even"),
        Sample((word_sample(4),), _params((3,), np.uint8), "bytes"),
        Sample((word_sample(4),), _params(()), "scalar"),
        Sample(
            (word_sample(4),), dict(_params((3,)), algorithm=RandomAlgorithm.RNG_THREE_FRY), "fry"
        ),
    ],
)


def rng_bit_generator(
    key: Any,
    shape: Sequence[int],
    dtype: Any = np.uint32,
    algorithm: Any = RandomAlgorithm.RNG_DEFAULT,
    *,
    out_sharding: Any = None,
) -> tuple[Any, Any]:
    """Random bits, and the generator's state after them.

    Args:
      key: the state, u32[4] or u64[2]: a key, and a counter that moves on.
      shape: shape of the bits.
      dtype: unsigned integer dtype.
      algorithm: which generator is asked for: Philox-4x32 by default, or Threefry-2x32.

    Returns:
      (state, bits).

    Raises TypeError for a state of another type or a dtype that is not unsigned.

    >>> from adlib import lax
    >>> import adlib.numpy as jnp
    >>> state, bits = lax.rng_bit_generator(jnp.arange(4, dtype=jnp.uint32), (2,))
    >>> state
    Array([0, 1, 3, 3], dtype=uint32)
    >>> bits
    Array([ 895509795, 3230209149], dtype=uint32)
    """
    (state,) = operands("rng_bit_generator", key)
    found = dtypes.canonicalize_dtype(dtype)
    sizes = tuple([int(n) for n in shape])
    outs = rng_bit_generator_p.bind(
        state, shape=sizes, dtype=found, algorithm=RandomAlgorithm(int(algorithm))
    )
    return outs[0], outs[1]
