"""Arrays as text, as packed bits and in files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from adlib import lax
from adlib.base.source import here
from adlib.core import dtypes
from adlib.core.array import Array, scalar
from adlib.numpy.axes import axis_of
from adlib.numpy.creation import array
from adlib.numpy.makers import truth
from adlib.numpy.promotion import convert, to_array
from adlib.numpy.shaping import moveaxis, ravel

# ------------------------------------------------------------------------------- text


def array_repr(
    arr: Any,
    max_line_width: int | None = None,
    precision: int | None = None,
    suppress_small: bool | None = None,
) -> str:
    """The array as it shows itself, with these settings.

    >>> import adlib.numpy as jnp
    >>> jnp.array_repr(jnp.array([0.123456]), precision=2)
    'Array([0.12], dtype=float32)'
    """
    with _settings(max_line_width, precision, suppress_small):
        return repr(to_array(arr, "array_repr"))


def array_str(
    a: Any,
    max_line_width: int | None = None,
    precision: int | None = None,
    suppress_small: bool | None = None,
) -> str:
    """The array as it prints, with these settings.

    >>> import adlib.numpy as jnp
    >>> jnp.array_str(jnp.array([0.123456]), precision=2)
    '[0.12]'
    """
    with _settings(max_line_width, precision, suppress_small):
        return str(to_array(a, "array_str"))


def _settings(width: Any, precision: Any, suppress: Any) -> Any:
    given = {"linewidth": width, "precision": precision, "suppress": suppress}
    return np.printoptions(**{k: v for k, v in given.items() if v is not None})


def set_printoptions(*args: Any, **kwargs: Any) -> None:
    """How arrays print from now on; arguments as for NumPy, which they are passed to.

    >>> import adlib.numpy as jnp
    >>> jnp.set_printoptions(precision=8)
    """
    np.set_printoptions(*args, **kwargs)


def get_printoptions() -> dict[str, Any]:
    """How arrays print now.

    >>> import adlib.numpy as jnp
    >>> jnp.get_printoptions()["precision"]
    8
    """
    return dict(np.get_printoptions())


@contextlib.contextmanager
def printoptions(*args: Any, **kwargs: Any) -> Iterator[dict[str, Any]]:
    """How arrays print within a ``with`` block.

    >>> import adlib.numpy as jnp
    >>> with jnp.printoptions(precision=3):
    ...     print(jnp.array([0.123456]))
    [0.123]
    """
    with np.printoptions(*args, **kwargs) as options:
        yield dict(options)


def iterable(y: Any) -> bool:
    """Whether a value can be iterated over; arrays of rank 0 cannot.

    >>> import adlib.numpy as jnp
    >>> jnp.iterable(jnp.zeros(2)), jnp.iterable(3)
    (True, False)
    """
    if isinstance(y, Array):
        return bool(y.aval.shape)
    return bool(np.iterable(y))


# ------------------------------------------------------------------------------- files


def save(file: Any, arr: Any, allow_pickle: bool = True) -> None:
    """Write an array to a ``.npy`` file.

    >>> import adlib.numpy as jnp
    >>> import io
    >>> file = io.BytesIO()
    >>> jnp.save(file, jnp.arange(3))
    >>> file.getvalue()[1:6]
    b'NUMPY'
    """
    np.save(file, np.asarray(to_array(arr, "save", 1)), allow_pickle=allow_pickle)


def savez(file: Any, *args: Any, allow_pickle: bool = True, **kwds: Any) -> None:
    """Write several arrays to a ``.npz`` file, by position or by name.

    Args:
      allow_pickle: accepted for NumPy's sake; numbers need no pickles.

    >>> import adlib.numpy as jnp
    >>> import io
    >>> file = io.BytesIO()
    >>> jnp.savez(file, jnp.arange(3), b=jnp.ones(2))
    >>> _ = file.seek(0)
    >>> jnp.load(file)["b"]
    array([1., 1.], dtype=float32)
    """
    np.savez(
        file,
        *[np.asarray(to_array(a, "savez")) for a in args],
        **{k: np.asarray(to_array(a, "savez")) for k, a in kwds.items()},
    )


def load(file: Any, *args: Any, **kwargs: Any) -> Any:
    """Read what ``save`` or ``savez`` has written: an array, or a mapping of names to arrays.

    >>> import adlib.numpy as jnp
    >>> import io
    >>> file = io.BytesIO()
    >>> jnp.save(file, jnp.arange(3))
    >>> _ = file.seek(0)
    >>> jnp.load(file)
    Array([0, 1, 2], dtype=int32)
    """
    found = np.load(file, *args, **kwargs)
    if isinstance(found, np.ndarray):
        if found.dtype == np.dtype("V2"):  # how bfloat16 comes back from a file
            found = found.view(dtypes.bfloat16)
        return array(found)
    return found


def fromfile(
    file: Any, dtype: Any = float, count: int = -1, sep: str = "", offset: int = 0
) -> Array:
    """Numbers from a binary file, or from a text file where ``sep`` is given.

    >>> import adlib.numpy as jnp
    >>> import io, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "numbers.txt")
    >>> with open(path, "w") as file:
    ...     _ = file.write("1.5 2.5")
    >>> jnp.fromfile(path, sep=" ")
    Array([1.5, 2.5], dtype=float32)
    """
    return array(np.fromfile(file, dtypes.as_dtype(dtype), count, sep, offset))


# ------------------------------------------------------------------------- packed bits


def _bit_weights(bitorder: str) -> Array:
    if bitorder not in ("big", "little"):
        raise ValueError(f"'order' must be either 'little' or 'big', got {bitorder!r}{here()}")
    places = np.arange(8, dtype=np.uint8)
    return array(places if bitorder == "little" else places[::-1].copy())


def packbits(a: Any, axis: int | None = None, bitorder: str = "big") -> Array:
    """Eight truth values to a byte, filled up with zeros.

    >>> import adlib.numpy as jnp
    >>> jnp.packbits(jnp.array([0, 0, 0, 0, 0, 1, 0, 1]))
    Array([5], dtype=uint8)
    """
    x = to_array(a, "packbits")
    if dtypes.kind(x.aval.dtype) not in "biu":
        raise TypeError(f"Expected an input array of integer or boolean data type{here()}")
    x, axis = (ravel(x), 0) if axis is None else (x, axis_of(axis, x.aval.ndim))
    bits = moveaxis(convert(truth(x), np.dtype(np.uint8)), axis, -1)
    *lead, n = bits.aval.shape
    config = [(0, 0, 0)] * len(lead) + [(0, -n % 8, 0)]
    bits = lax.pad(bits, scalar(0, bits.aval.dtype), config)
    bits = lax.reshape(bits, (*lead, (n + 7) // 8, 8))
    shifts = lax.broadcast_in_dim(_bit_weights(bitorder), bits.aval.shape, (len(lead) + 1,))
    packed = lax.reduce_sum(lax.shift_left(bits, shifts), (len(lead) + 1,))
    return moveaxis(packed, -1, axis)


def unpackbits(
    a: Any, axis: int | None = None, count: int | None = None, bitorder: str = "big"
) -> Array:
    """The eight bits of every byte.

    >>> import adlib.numpy as jnp
    >>> jnp.unpackbits(jnp.array([5], dtype="uint8"))
    Array([0, 0, 0, 0, 0, 1, 0, 1], dtype=uint8)
    """
    x = to_array(a, "unpackbits")
    if x.aval.dtype != np.uint8:
        raise TypeError(f"Expected an input array of unsigned byte data type{here()}")
    x, axis = (ravel(x), 0) if axis is None else (x, axis_of(axis, x.aval.ndim))
    x = moveaxis(x, axis, -1)
    *lead, n = x.aval.shape
    shape = (*lead, n, 8)
    bytes_ = lax.broadcast_in_dim(x, shape, tuple(range(len(lead) + 1)))
    shifts = lax.broadcast_in_dim(_bit_weights(bitorder), shape, (len(lead) + 1,))
    one = scalar(1, np.dtype(np.uint8))
    bits = lax.bitwise_and(lax.shift_right_logical(bytes_, shifts), one)
    bits = lax.reshape(bits, (*lead, 8 * n))
    if count is not None:
        bits = lax.slice_in_dim(bits, 0, count if count >= 0 else 8 * n + count, axis=len(lead))
    return moveaxis(bits, -1, axis)
