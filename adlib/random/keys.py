"""Keys: made from seeds, split, and folded with data. A key is used once."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adlib.base.config import config
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, ArrayImpl, as_value
from adlib.core.avals import ShapedArray
from adlib.core.dtypes import KeyDType, key_fry
from adlib.ops import random_bits as prims
from adlib.ops.conversion import convert

_NAME = "threefry2x32"
_ACCEPTED = (None, _NAME, "fry", "threefry")
_U32 = np.dtype(np.uint32)


def _check_impl(impl: Any, dtype: Any = None) -> None:
    if (impl in _ACCEPTED or isinstance(impl, KeyDType)) and dtype in (None, key_fry):
        return
    raise ValueError(
        f"unrecognized PRNG implementation {impl if dtype is None else dtype!r}: adlib's one is "
        f"{_NAME!r}.{here()}\n  Repair: leave out impl= and dtype=."
    )


def _is_key(x: Any) -> bool:
    return isinstance(x, Array) and isinstance(x.aval.dtype, KeyDType)


def as_keys(keys: Any) -> tuple[Array, bool]:
    """Typed keys and whether they came as raw words (uint32, last axis of size 2)."""
    if _is_key(keys):
        return keys, False
    if isinstance(keys, (np.ndarray, Array)) or hasattr(keys, "__jax_array__"):
        words = as_value(keys)
        if words.aval.dtype == _U32 and words.aval.shape[-1:] == (2,):
            return prims.random_wrap(words), True
        given = f"an array of type {words.aval.str_short()}"
    else:
        given = f"{keys!r} of type {type(keys)}"
    raise TypeError(
        f"invalid PRNG key data: a key is wanted, got {given}.{here()}\n  Repair: pass "
        "adlib.random.key(seed), or a raw key of dtype uint32 and shape (2,) from "
        "adlib.random.PRNGKey(seed)."
    )


def single_key(name: str, keys: Any) -> tuple[Array, bool]:
    """One typed key and whether it came raw; raises ValueError for several keys."""
    typed, raw = as_keys(keys)
    if typed.aval.shape:
        shape = (*typed.aval.shape, 2) if raw else typed.aval.shape
        raise ValueError(
            f"{name} accepts a single key, but was given a key array of shape {shape} != "
            f"{'(2,)' if raw else '()'}.{here()}\n  Repair: use vmap to draw with several keys: "
            f"vmap(lambda k: random.{name}(k, ...))(keys); or pick one, keys[0]."
        )
    return typed, raw


def _seed_value(name: str, seed: Any) -> Array:
    if isinstance(seed, (bool, int, np.integer)):
        wide = config.jax_enable_x64
        value = operator.index(seed)
        bits = 64 if wide else 32
        if not -(2**63) <= value < 2**64:
            raise OverflowError(f"{name}: seed {seed} does not fit 64 bits")
        # two's complement of the width in use: further bits of a seed are dropped
        value = (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
        dtype = np.dtype(np.int64 if wide else np.int32)
        return ArrayImpl(np.asarray(value, dtype), ShapedArray((), dtype))
    value = as_value(seed, name)
    if not dtypes.is_integer(value.aval.dtype):
        raise TypeError(
            f"PRNG key seed must be an integer; got {value.aval.str_short()}.{here()}\n"
            f"  Repair: pass an int such as random.{name}(0)."
        )
    if value.aval.shape:
        raise TypeError(
            f"{name} accepts a scalar seed, but was given an array of shape "
            f"{value.aval.shape} != ().{here()}\n  Repair: use vmap(random.{name})(seeds) for an "
            "array of keys."
        )
    return value


def key(seed: Any, *, impl: Any = None, dtype: Any = None) -> Array:
    """A typed key, made from a seed.

    Args:
      seed: integer; its low 32 bits count (64 with x64 enabled).
      impl: generator; Threefry-2x32 is the one there is.

    Returns:
      Array of shape () and dtype ``key<fry>``.

    >>> from adlib import random
    >>> random.key(0)
    Array((), dtype=key<fry>) overlaying:
    [0 0]
    """
    _check_impl(impl, dtype)
    return prims.random_seed(_seed_value("key", seed))  # type: ignore[no-any-return]


def PRNGKey(seed: Any, *, impl: Any = None) -> Array:
    """A raw key, made from a seed: the older form, an array of two uint32 words.

    >>> from adlib import random
    >>> random.PRNGKey(42)
    Array([ 0, 42], dtype=uint32)
    """
    _check_impl(impl)
    return prims.random_unwrap(prims.random_seed(_seed_value("PRNGKey", seed)))  # type: ignore[no-any-return]


def split(key: Any, num: int | tuple[int, ...] = 2) -> Array:
    """New keys, independent of each other and of further draws from them.

    Args:
      key: a key, typed or raw.
      num: how many, or a shape.

    Returns:
      Keys of shape ``(num,)``; raw keys for a raw key, of shape ``(num, 2)``.

    Raises ValueError for an array of keys.

    >>> from adlib import random
    >>> random.split(random.PRNGKey(0))
    Array([[1797259609, 2579123966],
           [ 928981903, 3453687069]], dtype=uint32)
    """
    typed, raw = single_key("split", key)
    shape = (
        tuple(map(operator.index, num))
        if isinstance(num, (tuple, list))
        else (operator.index(num),)
    )
    if any(n < 0 for n in shape):
        raise ValueError(f"split: cannot make {num} keys; sizes must be at least 0.{here()}")
    keys = prims.random_split(typed, shape)
    return prims.random_unwrap(keys) if raw else keys  # type: ignore[no-any-return]


def fold_in(key: Any, data: Any) -> Array:
    """A new key from a key and an integer: one key for each step of a loop, for example.

    Args:
      key: a key, typed or raw.
      data: integer scalar, taken as uint32.

    Raises TypeError for data of higher rank, OverflowError for a Python int out of range.

    >>> from adlib import random
    >>> random.fold_in(random.PRNGKey(0), 1)
    Array([ 928981903, 3453687069], dtype=uint32)
    """
    typed, raw = single_key("fold_in", key)
    if isinstance(data, int):
        if not 0 <= data < 2**32:
            raise OverflowError(f"fold_in: Python integer {data} out of bounds for uint32{here()}")
        data = ArrayImpl(np.asarray(data, np.uint32), ShapedArray((), _U32))
    data = as_value(data, "fold_in")
    if dtypes.is_complex(data.aval.dtype):
        raise TypeError(f"fold_in takes an integer, got {data.aval.str_short()}.{here()}")
    if data.aval.shape:
        raise TypeError(
            f"fold_in accepts a scalar, but was given an array of shape {data.aval.shape} != ()."
            f"{here()}\n  Repair: use vmap(random.fold_in, (None, 0))(key, data)."
        )
    out = prims.random_fold_in(typed, convert(data, _U32))
    return prims.random_unwrap(out) if raw else out  # type: ignore[no-any-return]


def clone(key: Any) -> Array:
    """The same key, marked as meant to be used again.

    >>> from adlib import random
    >>> key = random.key(1)
    >>> random.uniform(random.clone(key)) == random.uniform(key)
    Array(True, dtype=bool)
    """
    typed, raw = as_keys(key)
    return key if raw else prims.random_clone(typed)  # type: ignore[no-any-return]


def key_data(keys: Any) -> Array:
    """The uint32 words of keys: shape ``keys.shape + (2,)``; raw keys come back as they are.

    >>> from adlib import random
    >>> random.key_data(random.key(42))
    Array([ 0, 42], dtype=uint32)
    """
    typed, raw = as_keys(keys)
    return keys if raw else prims.random_unwrap(typed)  # type: ignore[no-any-return]


def wrap_key_data(key_bits_array: Any, *, impl: Any = None, dtype: Any = None) -> Array:
    """Typed keys from words: uint32 of shape (..., 2) gives keys of shape (...).

    Raises TypeError for other shapes and dtypes.

    >>> from adlib import random
    >>> random.wrap_key_data(random.PRNGKey(42))
    Array((), dtype=key<fry>) overlaying:
    [ 0 42]
    """
    _check_impl(impl, dtype)
    return prims.random_wrap(as_value(key_bits_array, "wrap_key_data"))  # type: ignore[no-any-return]


def key_impl(keys: Any) -> str:
    """Name of the generator that keys belong to.

    >>> from adlib import random
    >>> random.key_impl(random.key(0))
    'threefry2x32'
    """
    as_keys(keys)
    return _NAME


def key_dtype(impl_spec: Any = None) -> KeyDType:
    """The dtype of typed keys, ``key<fry>``.

    >>> from adlib import random
    >>> random.key_dtype()
    key<fry>
    """
    _check_impl(impl_spec)
    return key_fry
