"""What the static views have in common: displaying themselves, and saving."""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any


class StaticView:
    """A picture with a text form; subclasses give ``svg``, ``html`` and ``__str__``.

    The same record gives the same bytes everywhere; nothing needs scripts or trust.
    """

    @cached_property
    def svg(self) -> str:
        """The picture as the text of an SVG file."""
        raise NotImplementedError

    @cached_property
    def html(self) -> str:
        """The view as HTML that needs no scripts and no trust."""
        raise NotImplementedError

    def save(self, path: str | Path) -> Path:
        """Write the view to a file: ``.svg``, ``.html`` or ``.txt``; gives the path back.

        Raises:
          ValueError: for another ending.
        """
        path = Path(path)
        writers = self._writers()
        if path.suffix not in writers:
            *most, last = writers
            raise ValueError(
                f"save() writes {', '.join(most)} and {last} files; it was given {path.name!r}."
            )
        path.write_text(writers[path.suffix](), encoding="utf-8")
        return path

    def savefig(self, path: str | Path, **options: Any) -> Path:
        """Draw the picture with matplotlib into a file of any kind it writes; gives the path.

        For papers: one unit of the picture is one point, and its ground is left out.

        Args:
          path: where to; its ending chooses the format (``.pdf``, ``.png``, ``.svg``, …).
          options: given to matplotlib's ``Figure.savefig``, e.g. ``dpi``.

        Raises:
          ImportError: if matplotlib is not installed.
        """
        from adlib_widgets.matplotlib_scene import save_svg

        return save_svg(self.svg, path, **options)

    def _writers(self) -> dict[str, Callable[[], str]]:
        """What ``save`` can write: the text of a file by its ending."""
        return {".svg": lambda: self.svg, ".html": self._page, ".txt": lambda: f"{self}\n"}

    def _page(self) -> str:
        return f'<!doctype html><html lang="en"><meta charset="utf-8">{self.html}</html>\n'

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"text/plain": repr(self), "text/html": self.html}
        if include:
            bundle = {kind: text for kind, text in bundle.items() if kind in include}
        return {kind: text for kind, text in bundle.items() if kind not in (exclude or ())}


def explorer_of(view: StaticView, module: str, name: str) -> Any:
    """The interactive form of ``view``: an instance of the class ``name`` of ``module``.

    Raises:
      ImportError: if the Python package anywidget is not installed.
    """
    try:
        import anywidget  # noqa: F401
    except ImportError:
        raise ImportError(
            "explore() needs the Python package anywidget: pip install 'adlib-jupyter[notebook]'. "
            "The view itself shows without it."
        ) from None
    return getattr(importlib.import_module(module), name)(view)


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of text in columns, indented by two; accents take no room.

    >>> aligned([("a", "1"), ("long", "2")])
    ['  a     1', '  long  2']
    """
    table = [tuple(row) for row in rows]
    if not table:
        return []
    widths = [max(_columns(cell) for cell in column) for column in zip(*table, strict=True)]
    return [
        "  "
        + "  ".join(c + " " * (w - _columns(c)) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _columns(text: str) -> int:
    return sum(not unicodedata.combining(letter) for letter in text)
