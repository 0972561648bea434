"""Small tables as aligned text and as HTML, and short texts for numbers, arrays and times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import adlib
from adlib.core import ShapedArray
from adlib.inspect import leaf_names
from adlib_widgets import html

_MOST_ENTRIES = 8


def text_table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Rows in columns of equal width, two spaces apart; columns in ``right`` end flush.

    >>> print(text_table([["a", "1"], ["bcd", "22"]], right=[1]))
    a     1
    bcd  22
    """
    columns = range(max(map(len, rows)))
    widths = [max(len(row[i]) if i < len(row) else 0 for row in rows) for i in columns]
    lines = []
    for row in rows:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table as HTML, escaped."""
    return html.table(heads, rows)


def number_text(value: float | complex) -> str:
    """A number to six digits, so that the last bits of a machine do not show.

    >>> number_text(0.1 + 0.2), number_text(3.0)
    ('0.3', '3.0')
    """
    if isinstance(value, complex):
        return f"({value:.6g})"
    text = f"{value:.6g}"
    return text + ".0" if text.lstrip("-").isdigit() else text


def array_text(value: Any) -> str:
    """The entries of a small array to six digits; size and norm of a larger one.

    >>> array_text(np.array([1.0, 2.5])), array_text(np.ones((3, 3)))
    ('[1.0, 2.5]', '9 entries, norm 3.0')
    """
    array = np.asarray(value)
    if array.dtype.names is not None or array.dtype.itemsize == 0:
        return "no tangent space"
    if array.dtype.kind == "b" or array.dtype.kind in "iu":
        texts = str
    else:
        # also widens bfloat16, which NumPy does not format
        array = array.astype(complex if array.dtype.kind == "c" else float)
        texts = number_text
    if array.size > _MOST_ENTRIES:
        flat = array.ravel()
        return f"{array.size} entries, norm {number_text(float(np.linalg.norm(flat)))}"
    return _nested_text(array.tolist(), texts)


def _nested_text(value: Any, texts: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_nested_text(item, texts) for item in value)}]"
    return texts(value)


def type_text(value: Any) -> str:
    """The type of an array or number as jaxprs write it, e.g. ``f32[3]``."""
    dtype = getattr(value, "dtype", None)
    return ShapedArray(
        np.shape(value), np.asarray(value).dtype if dtype is None else dtype
    ).str_short()


def leaf_rows(name: str, value: Any, *, before: str = "", plain: str = "") -> list[list[str]]:
    """A row with name, entries and type for each leaf of a pytree.

    Args:
      name: the expression that reaches ``value``.
      before: what stands before each leaf's name.
      plain: the name to show where ``value`` is a single leaf.

    >>> leaf_rows("p", {"w": np.ones(2)}, before="d/d")
    [["d/dp['w']", '[1.0, 1.0]', 'f64[2]']]
    """
    leaves = adlib.tree_util.tree_leaves(value)
    paths = [before + path for path in leaf_names(name, value)]
    if plain and paths == [before + name]:
        paths = [plain]
    return [
        [path, array_text(leaf), type_text(leaf)] for path, leaf in zip(paths, leaves, strict=True)
    ]


def seconds_text(seconds: float) -> str:
    """A time to three digits in a unit that suits it.

    >>> [seconds_text(s) for s in (1.5, 0.0123, 4.5e-6, 2e-9)]
    ['1.50 s', '12.3 ms', '4.50 µs', '2.00 ns']
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size * 0.9995:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def _three_digits(value: float) -> str:
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}"
