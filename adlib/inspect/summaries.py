"""Arrays in short: range, mean, how many entries are finite, and a small picture of them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, is_dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from adlib.core import array as core_array
from adlib.core import backend, dtypes

MOST_VALUES = 16
PREVIEW_ROWS, PREVIEW_COLUMNS = 8, 16


@dataclass(frozen=True, slots=True)
class ArraySummary:
    """What a record keeps of an array; never the whole of a large one.

    Attributes:
      type: e.g. ``f32[3,4]``.
      size: number of entries.
      bytes: size in memory.
      finite, nans, infs: how many entries are finite numbers, NaN, and infinite.
      min, max, mean: of the finite entries (of their magnitudes where complex); None where
        there are none.
      values: all entries in order, where there are at most 16; complex ones as text.
      preview: rows of entries picked at even distances, at most 8 rows of 16.
    """

    type: str
    size: int
    bytes: int
    finite: int
    nans: int = 0
    infs: int = 0
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    values: tuple[Any, ...] | None = None
    preview: tuple[tuple[float, ...], ...] = ()

    def text(self) -> str:
        """On one short line: the number, the few numbers, or range and mean."""
        if self.values is not None and self.size <= 4:
            items = [number_text(value) for value in self.values]
            return items[0] if self.size == 1 else f"[{', '.join(items)}]"
        parts = []
        if self.min is not None and self.max is not None and self.mean is not None:
            low, high = number_text(self.min), number_text(self.max)
            same = f"all {low}" if self.finite == self.size else f"{self.finite} × {low}"
            range_ = f"{low} … {high}, mean {number_text(self.mean)}"
            parts.append(same if self.min == self.max else range_)
        if self.nans:
            parts.append(f"{self.nans} nan")
        if self.infs:
            parts.append(f"{self.infs} inf")
        return ", ".join(parts)


def number_text(value: Any) -> str:
    """A number with four significant digits, and a true minus sign.

    >>> number_text(0.5403023), number_text(-1.0), number_text(True), number_text(float("-inf"))
    ('0.5403', '−1', 'True', '−inf')
    """
    if isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, int):
        text = str(value)
    else:
        text = f"{value:.4g}"
        if "e" in text:
            digits, power = text.split("e")
            text = f"{digits}e{int(power)}"
    return "0" if text == "-0" else text.replace("-", "−")


def summarize(array: Any) -> ArraySummary:
    """The summary of an Array.

    >>> import adlib.numpy as jnp
    >>> summarize(jnp.array([1.0, 3.0])).text()
    '[1, 3]'
    >>> summarize(jnp.arange(6.0)).text()
    '0 … 5, mean 2.5'
    """
    aval = array.aval
    if not _is_number(aval.dtype):
        return ArraySummary(aval.str_short(), aval.size, aval.nbytes, aval.size)
    value = array._value  # reduced where it is: no large array leaves the GPU
    xp = backend.of_array(value).xp
    plain = _plain(value)
    finite = xp.isfinite(plain)
    count = int(finite.sum())
    good = plain if count == plain.size else plain[finite]
    nans = int(xp.isnan(plain).sum()) if count < plain.size else 0
    statistics = (
        {"min": float(good.min()), "max": float(good.max()), "mean": _mean(good)} if count else {}
    )
    small = value.size <= MOST_VALUES
    return ArraySummary(
        type=aval.str_short(),
        size=int(value.size),
        bytes=aval.nbytes,
        finite=count,
        nans=nans,
        infs=int(plain.size) - count - nans,
        values=tuple(_entry(entry) for entry in value.ravel().tolist()) if small else None,
        preview=_preview(plain, xp),
        **statistics,
    )


def to_numpy(array: Any) -> np.ndarray[Any, Any]:
    """The entries of a concrete Array, on the host."""
    return core_array.to_numpy(array)


def _is_number(dtype: Any) -> bool:
    return dtype != dtypes.float0 and dtype.kind not in "KV" or _is_small_float(dtype)


def _is_small_float(dtype: Any) -> bool:
    return dtype != dtypes.float0 and dtypes.is_inexact(dtype)


def _plain(value: Any) -> Any:
    """Entries as real numbers that can be reduced: magnitudes of complex ones."""
    if value.dtype.kind == "c":
        with np.errstate(all="ignore"):
            return abs(value)
    return value if value.dtype == np.float64 else value.astype(np.float64)


def _mean(good: Any) -> float:
    with np.errstate(over="ignore"):
        return float(good.mean())


def _entry(entry: Any) -> Any:
    return str(entry).strip("()") if isinstance(entry, complex) else entry


def _preview(plain: Any, xp: Any) -> tuple[tuple[float, ...], ...]:
    if plain.size < 2:
        return ()
    grid = plain.reshape(-1, plain.shape[-1]) if plain.shape[-1] else plain.reshape(1, -1)
    rows = even_positions(grid.shape[0], PREVIEW_ROWS)
    columns = even_positions(grid.shape[1], PREVIEW_COLUMNS)
    picked = grid[xp.asarray(rows)[:, None], xp.asarray(columns)]
    return tuple(tuple(float(f"{entry:.4g}") for entry in row) for row in picked.tolist())


@lru_cache(256)
def even_positions(count: int, most: int) -> np.ndarray[Any, Any]:
    """At most ``most`` positions at even distances, the first and the last among them.

    >>> even_positions(9, 3).tolist()
    [0, 4, 8]
    """
    found = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    found.flags.writeable = False  # all callers share it
    return found


def to_json(record: Any) -> Any:
    """A record as dicts, lists, strings, numbers and None; NaN and infinities as strings.

    >>> to_json((1, float("nan"), (2.5, "a")))
    [1, 'nan', [2.5, 'a']]
    """
    if is_dataclass(record) and not isinstance(record, type):
        record = asdict(record)
    if isinstance(record, dict):
        return {key: to_json(value) for key, value in record.items()}
    if isinstance(record, (tuple, list)):
        return [to_json(value) for value in record]
    if isinstance(record, float) and not math.isfinite(record):
        return str(record)
    return record
