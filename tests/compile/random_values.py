"""What random programs are made of: values that are drawn, and made into one another's types.

``Maker(random)`` draws from a ``random.Random``, so that a seed is a program, and hypothesis can
shrink one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import adlib.numpy as jnp
from adlib import lax

FLOATS = ("float32", "float64")
INTS = ("int32", "int64", "int8", "uint8", "int16", "uint16", "uint32", "uint64")
SMALL_FLOATS = ("float16", "bfloat16")
COMPLEX = ("complex64", "complex128")
MOST = 6000  # elements of one value


def kind(x: Any) -> str:
    """``f`` floats, ``c`` complex, ``i`` signed, ``u`` unsigned integers, ``b`` bools."""
    found = jnp.dtype(getattr(x, "dtype", x)).kind
    return "f" if found == "V" else found


class Maker:
    """Makes one program.

    Attributes:
      pool: values that operations may read; the later, the likelier.
      depth: of programs within programs.
      smooth: whether the program will be differentiated.
    """

    def __init__(
        self, rng: random.Random, dtypes: Sequence[str], depth: int = 0, smooth: bool = False
    ) -> None:
        self.rng = rng
        self.dtypes = list(dtypes)
        self.depth = depth
        self.smooth = smooth
        self.pool: list[Any] = []

    # ------------------------------------------------------------------- choices

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def pick(self, kinds: str = "fciub", rank: int = 0, most: int = MOST) -> Any:
        """A value of one of the kinds with at least ``rank`` axes, or None."""
        fits = [
            x for x in self.pool if kind(x) in kinds and len(x.shape) >= rank and x.size <= most
        ]
        if not fits:
            return jnp.ones(3, np.float32) if (kinds, rank) == ("fciub", 0) else None
        at = 1
        while at < len(fits) and self.chance(0.7):
            at += 1
        return fits[-at]

    def rather(self, kinds: str) -> Any:
        """A value of one of the kinds; any other where there is none."""
        found = self.pick(kinds)
        return self.pick() if found is None else found

    def integer(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def axes(self, rank: int, least: int = 0) -> tuple[int, ...]:
        count = self.integer(min(least, rank), rank)
        return tuple(sorted(self.rng.sample(range(rank), count)))

    def dtype(self, kinds: str = "fciub") -> Any:
        fits = [d for d in self.dtypes if kind(jnp.dtype(d)) in kinds]
        return np.dtype(self.rng.choice(fits or ["float32"]))

    # ---------------------------------------------------------------- same types

    def fit(self, y: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        """A value made into one of a given type."""
        if y.dtype != dtype:
            y = convert(y, dtype)
        if y.shape == shape:
            return y
        if y.size == int(np.prod(shape)) and self.chance(0.7):
            return lax.reshape(y, shape)
        if len(y.shape) <= len(shape):
            tail = shape[len(shape) - len(y.shape) :]
            if all(n in (1, m) for n, m in zip(y.shape, tail, strict=True)):
                return jnp.broadcast_to(y, shape)
        if not y.shape:
            return jnp.broadcast_to(y, shape)
        if len(y.shape) == len(shape) and 0 not in y.shape and self.chance(0.6):
            config = []
            for n, m in zip(y.shape, shape, strict=True):
                low = self.integer(-1, 1) if n > 1 and m > 1 else 0
                config.append((low, m - n - low, 0))
            return lax.pad(y, np.zeros((), y.dtype), config)
        flat = y.reshape(-1)
        if not flat.size:
            return jnp.zeros(shape, dtype)
        count = int(np.prod(shape))
        if 0 < count <= flat.size:
            first = self.integer(0, flat.size - count)
            return flat[first : first + count].reshape(shape)
        return jnp.broadcast_to(flat[self.integer(0, flat.size - 1)], shape)

    def partner(self, x: Any, kinds: str = "fciub") -> Any:
        y = self.pick(kinds)
        return x if y is None else self.fit(y, x.shape, x.dtype)

    # --------------------------------------------------------------------- growth

    def grow(self, steps: int) -> None:
        names = list(OPERATIONS)
        weights = [OPERATIONS[n][1] for n in names]
        for _ in range(steps):
            if not self.pool:
                self.pool.append(jnp.asarray(self.constant(self.dtype())))
            (name,) = self.rng.choices(names, weights)
            made = OPERATIONS[name][0](self)
            if made is None:
                continue
            for x in made if isinstance(made, (list, tuple)) else (made,):
                if x.size <= MOST:
                    self.pool.append(x)

    def inner(self, values: Sequence[Any]) -> Maker:
        """The maker of a program within this one: it sees some of this one's values too."""
        maker = Maker(self.rng, self.dtypes, self.depth + 1, self.smooth)
        closed_over = [x for x in self.pool if self.chance(0.3)]
        maker.pool = [*closed_over[-3:], *values]
        return maker

    def results(self) -> list[Any]:
        count = self.integer(1, 4)
        found = [self.pick() for _ in range(count)]
        if self.chance(0.15):
            found.append(found[0])
        if self.chance(0.1):
            found.append(self.pool[0])
        if self.chance(0.1):
            found.append(jnp.asarray(self.constant(self.dtype())))
        return [x for x in found if x is not None]

    def constant(self, dtype: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
        shape = self.shape() if shape is None else shape
        return numbers(np.random.default_rng(self.integer(0, 1 << 30)), shape, dtype, False)

    def shape(self) -> tuple[int, ...]:
        sizes = [0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 17, 33]
        if self.chance(0.05):
            return (self.rng.choice([70, 300, 2500]),)
        if self.chance(0.05):
            return (self.rng.choice([17, 40]), self.rng.choice([64, 100]))
        weights = [1] + [8] * (len(sizes) - 1)
        found = tuple(self.rng.choices(sizes, weights, k=self.rng.choice([0, 1, 1, 2, 2, 3, 4])))
        return found if int(np.prod(found)) <= MOST // 2 else found[:2]


def numbers(rng: np.random.Generator, shape: Any, dtype: Any, special: bool) -> np.ndarray:
    """An array of moderate numbers; with ``special``, some extreme ones too."""
    dtype = jnp.dtype(dtype)
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        x = rng.integers(max(-5, info.min), 9, shape).astype(dtype)
        odd = [info.min, info.max, 0, 1, info.max // 2 + 1, max(info.min, -1)]
    elif dtype.kind == "c":
        z = np.empty(shape, dtype)
        part = np.dtype(f"f{dtype.itemsize // 2}")
        z.real, z.imag = (numbers(rng, shape, part, special) for _ in range(2))
        return z
    else:
        x = (rng.standard_normal(shape) * 2).astype(dtype)
        info = jnp.finfo(dtype)
        odd = [np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0, float(info.tiny) / 4, float(info.max)]
    if special and x.size:
        x = np.array(x)
        where = rng.random(x.shape) < 0.2
        with np.errstate(all="ignore"):
            x[where] = rng.choice(np.array(odd).astype(dtype), int(where.sum()))
    return np.asarray(x)


def convert(x: Any, dtype: Any) -> Any:
    if kind(x) == "c" and np.dtype(dtype).kind != "c":
        x = lax.real(x)
    return lax.convert_element_type(x, dtype)


# Operations by name, with how often they are drawn; see random_operations.py.
OPERATIONS: dict[str, tuple[Callable[[Maker], Any], float]] = {}


def operation(weight: float) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        OPERATIONS[function.__name__] = (function, weight)
        return function

    return register
