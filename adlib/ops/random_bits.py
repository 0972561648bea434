"""Random bits as primitives: keys, and the words that keys and counters give.

A key holds two 32-bit words. Typed keys (``key<fry>``) are stored as one uint64 whose
memory is those two words in order, so wrapping and unwrapping is a change of view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from adlib.base.config import config
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray, Zero
from adlib.core.dtypes import KeyDType, key_fry
from adlib.core.primitive import Primitive, Sample, define_primitive
from adlib.ops import threefry
from adlib.ops.operands import broadcast_shape, operands
from adlib.ops.reshaping import broadcast_to, expand_dims, moveaxis

_U32 = np.dtype(np.uint32)


class _Generator:
    """The name of a generator as jaxprs print it (``random_seed[impl=fry]``)."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


fry = _Generator("fry")


def is_key(aval: ShapedArray) -> bool:
    return isinstance(aval.dtype, KeyDType)


def _check_key(name: str, keys: ShapedArray) -> None:
    if not is_key(keys):
        raise TypeError(
            f"{name} wants typed keys (dtype key<fry>), got {keys.str_short()}.{here()}\n"
            "  Repair: make keys with adlib.random.key(seed), or adlib.random.wrap_key_data(raw)."
        )


def _random_primitive(name: str, **rules: Any) -> Primitive:
    """A primitive on keys or integers: nothing that it gives has a tangent."""
    primitive = define_primitive(name, **rules)

    def jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> tuple[Any, Any]:
        ans = primitive.bind(*primals, **params)
        if primitive.multiple_results:
            return ans, [Zero.like(a) for a in ans]
        return ans, Zero.like(ans)

    primitive.jvp = jvp
    return primitive


def _batch_leading(
    primitive: Primitive, axis: Any, args: Sequence[Any], dims: Sequence[Any], **params: Any
) -> tuple[Any, Any]:
    """Batching of a primitive of one argument whose rules treat leading axes alike."""
    return primitive.bind(moveaxis(args[0], dims[0], 0), **params), 0


def _words(xp: Any, keys: Any) -> tuple[Any, Any]:
    """The two uint32 words of keys, each of shape (number of keys,)."""
    words = xp.ascontiguousarray(xp.asarray(keys).reshape(-1)).view(xp.uint32).reshape(-1, 2)
    return words[:, 0], words[:, 1]


def _keys_from_words(xp: Any, words: Any, shape: tuple[int, ...]) -> Any:
    return xp.ascontiguousarray(words).view(xp.uint64).reshape(shape)


def key_sample(*shape: int) -> Any:
    """A sample argument: an array of typed keys."""

    def make(rng: np.random.Generator) -> Any:
        value = np.asarray(rng.integers(0, 2**63, shape, np.uint64))
        return ArrayImpl(value, ShapedArray(shape, key_fry))

    return make


def word_sample(*shape: int) -> Any:
    """A sample argument: an array of 32-bit words."""
    return lambda rng: np.asarray(rng.integers(0, 2**32, shape, np.uint32))


# ------------------------------------------------------------------ threefry2x32


def _threefry_shape(*avals: ShapedArray) -> list[ShapedArray]:
    if any(a.dtype != _U32 for a in avals):
        given = ", ".join(a.str_short() for a in avals)
        raise TypeError(f"threefry2x32 takes four uint32 arrays, got {given}.{here()}")
    shape = broadcast_shape("threefry2x32", avals)
    return [ShapedArray(shape, _U32)] * 2


def _threefry_impl(xp: Any, k0: Any, k1: Any, x0: Any, x1: Any) -> list[Any]:
    # rank 0 would come back from the arithmetic as scalars, which cannot be written to
    arrays = [xp.atleast_1d(a) for a in (k0, k1, x0, x1)]
    shape = np.broadcast_shapes(*[np.shape(a) for a in (k0, k1, x0, x1)])
    full = shape or (1,)
    y0, y1 = xp.empty(full, xp.uint32), xp.empty(full, xp.uint32)
    y0[...] = arrays[2]
    y1[...] = arrays[3]
    threefry.scramble(xp, arrays[0], arrays[1], y0, y1)
    return [y0.reshape(shape), y1.reshape(shape)]


def _threefry_batch(axis: Any, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, Any]:
    rank = max(len(x.aval.shape) - (d is not None) for x, d in zip(args, dims, strict=True))
    aligned = []
    for x, d in zip(args, dims, strict=True):
        if d is not None:
            x = moveaxis(x, d, 0)
            missing = rank + 1 - len(x.aval.shape)
            x = expand_dims(x, tuple(range(1, 1 + missing)))
        elif x.aval.shape:
            x = expand_dims(x, (0,))
        aligned.append(x)
    return threefry2x32_p.bind(*aligned), [0, 0]


threefry2x32_p = _random_primitive(
    "threefry2x32",
    shape=_threefry_shape,
    impl=_threefry_impl,
    batch=_threefry_batch,
    multiple_results=True,
    samples=lambda: [
        Sample((word_sample(),) * 4, {}, "one-block"),
        Sample((word_sample(), word_sample(), word_sample(5), word_sample(5)), {}, "one-key"),
        Sample((word_sample(3, 1), word_sample(3, 1), word_sample(1, 4), word_sample(1, 4))),
    ],
)


def threefry2x32(k0: Any, k1: Any, x0: Any, x1: Any) -> list[Any]:
    """The generator itself: blocks (x0, x1) under keys (k0, k1), all uint32; gives two arrays."""
    return threefry2x32_p.bind(*operands("threefry2x32", k0, k1, x0, x1))  # type: ignore[no-any-return]


# -------------------------------------------------------- making and viewing keys


def _seed_shape(seeds: ShapedArray, *, impl: Any) -> ShapedArray:
    if not dtypes.is_integer(seeds.dtype):
        raise TypeError(
            f"PRNG key seed must be an integer; got {seeds.str_short()}.{here()}\n"
            "  Repair: pass an int such as random.key(0)."
        )
    return ShapedArray(seeds.shape, key_fry)


# kernels, not impls: the parameter that names the generator is itself called "impl"
def _seed_kernel(xp: Any, impl: Any) -> Any:
    def kernel(seeds: Any) -> Any:
        seeds = xp.asarray(seeds)
        words = xp.zeros((*seeds.shape, 2), xp.uint32)
        words[..., 1] = seeds.astype(xp.uint32)
        if seeds.dtype.itemsize == 8:
            words[..., 0] = (seeds.astype(xp.uint64) >> xp.uint64(32)).astype(xp.uint32)
        return _keys_from_words(xp, words, seeds.shape)

    return kernel


random_seed_p = _random_primitive(
    "random_seed",
    shape=_seed_shape,
    kernel=_seed_kernel,
    samples=lambda: [
        Sample((np.asarray(7, np.int32),), dict(impl=fry), "scalar"),
        Sample((np.array([-1, 0, 2**31 - 1], np.int32),), dict(impl=fry), "array"),
        Sample((np.array([2**32 - 1], np.uint32),), dict(impl=fry), "unsigned"),
    ],
)
random_seed_p.batch = partial(_batch_leading, random_seed_p)


def random_seed(seeds: Any) -> Any:
    """Keys of the same shape as the integer array ``seeds``: words (high, low) of each seed."""
    return random_seed_p.bind(seeds, impl=fry)


def _wrap_shape(words: ShapedArray, *, impl: Any) -> ShapedArray:
    if words.dtype != _U32 or words.shape[-1:] != (2,):
        raise TypeError(
            "invalid PRNG key data: the words of a key are a uint32 array whose last axis has "
            f"size 2, got {words.str_short()}.{here()}\n"
            "  Repair: make keys with adlib.random.key(seed) or adlib.random.PRNGKey(seed)."
        )
    return ShapedArray(words.shape[:-1], key_fry)


random_wrap_p = _random_primitive(
    "random_wrap",
    shape=_wrap_shape,
    kernel=lambda xp, impl: lambda words: _keys_from_words(xp, words, words.shape[:-1]),
    samples=lambda: [
        Sample((word_sample(2),), dict(impl=fry), "one"),
        Sample((word_sample(3, 2),), dict(impl=fry), "several"),
    ],
)
random_wrap_p.batch = partial(_batch_leading, random_wrap_p)


def random_wrap(words: Any) -> Any:
    """uint32 words, shape (..., 2), as typed keys of shape (...)."""
    return random_wrap_p.bind(words, impl=fry)


def _unwrap_shape(keys: ShapedArray) -> ShapedArray:
    _check_key("random_unwrap", keys)
    return ShapedArray((*keys.shape, 2), _U32)


def _unwrap_kernel(xp: Any) -> Any:
    def kernel(keys: Any) -> Any:
        shape = (*np.shape(keys), 2)
        return xp.ascontiguousarray(xp.asarray(keys).reshape(-1)).view(xp.uint32).reshape(shape)

    return kernel


random_unwrap_p = _random_primitive(
    "random_unwrap",
    shape=_unwrap_shape,
    kernel=_unwrap_kernel,
    samples=lambda: [Sample((key_sample(),), {}, "one"), Sample((key_sample(3),), {}, "several")],
)
random_unwrap_p.batch = partial(_batch_leading, random_unwrap_p)


def random_unwrap(keys: Any) -> Any:
    """The uint32 words of typed keys: shape (...) gives (..., 2)."""
    return random_unwrap_p.bind(keys)


def _clone_shape(keys: ShapedArray) -> ShapedArray:
    _check_key("random_clone", keys)
    return keys


random_clone_p = _random_primitive(
    "random_clone",
    shape=_clone_shape,
    impl=lambda xp, keys: keys,
    samples=lambda: [Sample((key_sample(3),))],
)
random_clone_p.batch = partial(_batch_leading, random_clone_p)


def random_clone(keys: Any) -> Any:
    """The same keys again, for saying that a key is meant to be used twice."""
    return random_clone_p.bind(keys)


# ------------------------------------------------------------- split and fold_in


def _counters_64(xp: Any) -> Any:
    """Block i has the counter i as two words, high first."""

    def counters(start: int, stop: int) -> tuple[Any, Any]:
        if stop <= 1 << 32:
            return xp.zeros(stop - start, xp.uint32), xp.arange(start, stop, dtype=xp.uint32)
        wide = xp.arange(start, stop, dtype=xp.uint64)
        return (wide >> xp.uint64(32)).astype(xp.uint32), wide.astype(xp.uint32)

    return counters


def _counters_halved(xp: Any, words: int) -> Any:
    """The numbers 0 … words-1, padded to an even count: block i pairs the halves' i-th ones."""
    blocks = (words + 1) // 2
    if words > 0xFFFFFFFF:
        raise ValueError(
            f"{words} words are more than one key gives with jax_threefry_partitionable off "
            "(2**32 - 1).\n  Repair: draw in several parts with keys from random.split."
        )

    def counters(start: int, stop: int) -> tuple[Any, Any]:
        first = xp.arange(start, stop, dtype=xp.uint32)
        second = first + xp.uint32(blocks)
        if stop == blocks and words % 2 and stop > start:
            second[-1] = 0  # the padding
        return first, second

    return counters


def _store_pair(x0: Any, x1: Any, target: Any) -> None:
    target[..., 0] = x0
    target[..., 1] = x1


def _halved_words(xp: Any, keys: Any, words: int) -> Any:
    """uint32 of shape (number of keys, words), in the layout before partitionable counters."""
    k0, k1 = _words(xp, keys)
    blocks = (words + 1) // 2
    pairs = xp.empty((k0.shape[0], 2, blocks), xp.uint32)
    threefry.hash_counters(
        xp, k0, k1, _counters_halved(xp, words), _store_pair, pairs.transpose(0, 2, 1)
    )
    return pairs.reshape(k0.shape[0], 2 * blocks)[:, :words]


def _split_shape(keys: ShapedArray, *, shape: tuple[int, ...]) -> ShapedArray:
    _check_key("random_split", keys)
    return ShapedArray((*keys.shape, *shape), key_fry)


def split_impl(xp: Any, keys: Any, *, shape: tuple[int, ...]) -> Any:
    count = math.prod(shape)
    out_shape = (*np.shape(keys), *shape)
    if not config.jax_threefry_partitionable:
        words = _halved_words(xp, keys, 2 * count)
        return _keys_from_words(xp, words.reshape(-1, 2), out_shape)
    k0, k1 = _words(xp, keys)
    words = xp.empty((k0.shape[0], count, 2), xp.uint32)
    threefry.hash_counters(xp, k0, k1, _counters_64(xp), _store_pair, words)
    return _keys_from_words(xp, words, out_shape)


random_split_p = _random_primitive(
    "random_split",
    shape=_split_shape,
    impl=split_impl,
    samples=lambda: [
        Sample((key_sample(),), dict(shape=(2,)), "pair"),
        Sample((key_sample(3),), dict(shape=(2, 3)), "several"),
        Sample((key_sample(),), dict(shape=(0,)), "none"),
    ],
)
random_split_p.batch = partial(_batch_leading, random_split_p)


def random_split(keys: Any, shape: tuple[int, ...]) -> Any:
    """New keys of shape ``keys.shape + shape``."""
    return random_split_p.bind(keys, shape=shape)


def _fold_in_shape(keys: ShapedArray, data: ShapedArray) -> ShapedArray:
    _check_key("random_fold_in", keys)
    if data.dtype != _U32:
        raise TypeError(f"random_fold_in takes uint32 data, got {data.str_short()}.{here()}")
    return ShapedArray(broadcast_shape("random_fold_in", [keys, data]), key_fry)


def _fold_in_impl(xp: Any, keys: Any, data: Any) -> Any:
    shape = np.broadcast_shapes(np.shape(keys), np.shape(data))
    if not shape and xp is np:
        k0, k1 = np.asarray(keys).reshape(1).view(np.uint32).tolist()
        x0, x1 = threefry.block(k0, k1, 0, int(data))
        return np.array([x0, x1], np.uint32).view(np.uint64).reshape(())
    k0, k1 = _words(xp, xp.broadcast_to(keys, shape))
    x1 = xp.broadcast_to(data, shape).reshape(-1).copy()
    x0 = xp.zeros_like(x1)
    threefry.scramble(xp, k0, k1, x0, x1)
    return _keys_from_words(xp, xp.stack([x0, x1], axis=1), shape)


def _fold_in_batch(axis: Any, args: Sequence[Any], dims: Sequence[Any]) -> tuple[Any, int]:
    rank = max(len(x.aval.shape) - (d is not None) for x, d in zip(args, dims, strict=True))
    aligned = []
    for x, d in zip(args, dims, strict=True):
        x = moveaxis(x, d, 0) if d is not None else broadcast_to(x, (axis.size, *x.aval.shape))
        missing = rank + 1 - len(x.aval.shape)
        aligned.append(expand_dims(x, tuple(range(1, 1 + missing))))
    return random_fold_in_p.bind(*aligned), 0


random_fold_in_p = _random_primitive(
    "random_fold_in",
    shape=_fold_in_shape,
    impl=_fold_in_impl,
    batch=_fold_in_batch,
    samples=lambda: [
        Sample((key_sample(), word_sample()), {}, "one"),
        Sample((key_sample(3), word_sample(3)), {}, "several"),
    ],
)


def random_fold_in(keys: Any, data: Any) -> Any:
    """Keys made from ``keys`` and uint32 ``data``: one from each pair."""
    return random_fold_in_p.bind(keys, data)


# ------------------------------------------------------------------- random_bits

_UINT = {8: np.dtype(np.uint8), 16: np.dtype(np.uint16), 32: _U32, 64: np.dtype(np.uint64)}


def _bits_shape(keys: ShapedArray, *, bit_width: int, shape: tuple[int, ...]) -> ShapedArray:
    _check_key("random_bits", keys)
    if bit_width not in _UINT:
        raise TypeError(
            f"random_bits gives words of 8, 16, 32 or 64 bits, not {bit_width}.{here()}"
        )
    return ShapedArray((*keys.shape, *shape), _UINT[bit_width])


def _store_xor(x0: Any, x1: Any, target: Any) -> None:
    x0 ^= x1
    target[...] = x0  # where the target is narrower this keeps the low bits


def _store_joined(x0: Any, x1: Any, target: Any) -> None:
    target[...] = x0
    target <<= 32
    target |= x1


def bits_impl(xp: Any, keys: Any, *, bit_width: int, shape: tuple[int, ...]) -> Any:
    count = math.prod(shape)
    out_shape = (*np.shape(keys), *shape)
    if not config.jax_threefry_partitionable:
        return _bits_halved(xp, keys, bit_width, count).reshape(out_shape)
    k0, k1 = _words(xp, keys)
    out = xp.empty((k0.shape[0], count), _UINT[bit_width])
    finish = _store_joined if bit_width == 64 else _store_xor
    threefry.hash_counters(xp, k0, k1, _counters_64(xp), finish, out)
    return out.reshape(out_shape)


def _bits_halved(xp: Any, keys: Any, bit_width: int, count: int) -> Any:
    """Bits in the older layout; results are packed into whole 32-bit words."""
    if bit_width == 64:
        words = _halved_words(xp, keys, 2 * count)
        return (words[:, :count].astype(xp.uint64) << xp.uint64(32)) | words[:, count:]
    words = _halved_words(xp, keys, -(-count * bit_width // 32))
    # the memory of a little-endian word is its parts, lowest first
    return xp.ascontiguousarray(words).view(_UINT[bit_width])[:, :count]


random_bits_p = _random_primitive(
    "random_bits",
    shape=_bits_shape,
    impl=bits_impl,
    samples=lambda: [
        *[
            Sample((key_sample(),), dict(bit_width=w, shape=(2, 3)), f"{w}-bit")
            for w in (8, 16, 32)
        ],
        Sample((key_sample(),), dict(bit_width=32, shape=()), "scalar"),
        Sample((key_sample(3),), dict(bit_width=32, shape=(4,)), "several-keys"),
        Sample((key_sample(),), dict(bit_width=32, shape=(0, 3)), "empty"),
    ],
)
random_bits_p.batch = partial(_batch_leading, random_bits_p)


def random_bits(keys: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
    """Uniform unsigned integers of ``bit_width`` bits, of shape ``keys.shape + shape``."""
    return random_bits_p.bind(keys, bit_width=bit_width, shape=shape)
