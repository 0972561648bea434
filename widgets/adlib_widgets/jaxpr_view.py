"""``show_jaxpr``: a function's jaxpr, drawn."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import adlib
from adlib.inspect import GraphRecord, argument_names, graph_record
from adlib_widgets import html
from adlib_widgets.dot import graph_dot
from adlib_widgets.scene import Scene, graph_scene
from adlib_widgets.svg import scene_svg

_PARTS = ("text", "graph", "table")


class JaxprView:
    """A jaxpr as text, as a graph and as a table of equations.

    Displays itself in notebooks; the same jaxpr gives the same bytes everywhere.

    Attributes:
      jaxpr: the ``ClosedJaxpr``.
      record: its ``GraphRecord``, from which everything is drawn.
    """

    def __init__(
        self,
        jaxpr: Any,
        *,
        input_names: Sequence[str] | None = None,
        depth: int | None = None,
        parts: Sequence[str] = ("graph", "table"),
    ) -> None:
        unknown = [part for part in parts if part not in _PARTS]
        if unknown:
            raise ValueError(f"parts may hold 'text', 'graph' and 'table'; got {unknown[0]!r}.")
        self.jaxpr = jaxpr
        self.record: GraphRecord = graph_record(jaxpr, input_names=input_names)
        self._depth = depth
        self._parts = tuple(parts)

    @cached_property
    def _scene(self) -> Scene:
        return graph_scene(self.record, depth=self._depth)

    @cached_property
    def svg(self) -> str:
        """The graph as the text of an SVG file."""
        return scene_svg(
            self._scene, title="jaxpr", description=f"{html.describe(self.record)}\n{self}"
        )

    @cached_property
    def html(self) -> str:
        """The view as HTML that needs no scripts and no trust."""
        pieces = []
        if "text" in self._parts:
            pieces.append(html.preformatted(str(self)))
        if "graph" in self._parts:
            alt = html.describe(self.record)
            pieces.append(html.image(self.svg, alt, self._scene.width))
        if "table" in self._parts:
            count = sum(1 for _ in html.walk_equations(self.record))
            summary = html.counted(count, "equation")
            pieces.append(html.details(summary, html.equation_table(self.record)))
        return "".join(pieces)

    def to_dot(self) -> str:
        """The graph in the DOT language. No program of Graphviz is needed for this."""
        return graph_dot(self.record)

    def to_graphviz(self) -> Any:
        """The graph as a ``graphviz.Source``.

        Raises:
          ImportError: if the Python package graphviz is not installed.
        """
        try:
            import graphviz
        except ImportError:
            raise ImportError(
                "to_graphviz() needs the Python package graphviz: pip install graphviz. "
                "to_dot() gives the same graph as text without it."
            ) from None
        return graphviz.Source(self.to_dot())

    def save(self, path: str | Path) -> Path:
        """Write the view to a file: ``.svg``, ``.html`` or ``.dot``; gives the path back.

        Raises:
          ValueError: for another ending.
        """
        path = Path(path)
        writers = {".svg": lambda: self.svg, ".html": self._page, ".dot": self.to_dot}
        if path.suffix not in writers:
            raise ValueError(
                f"save() writes .svg, .html and .dot files; it was given {path.name!r}."
            )
        path.write_text(writers[path.suffix](), encoding="utf-8")
        return path

    def _page(self) -> str:
        return f'<!doctype html><html lang="en"><meta charset="utf-8">{self.html}</html>\n'

    def __repr__(self) -> str:
        return str(self.jaxpr)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle = {"text/plain": repr(self), "text/html": self.html}
        if include:
            bundle = {kind: text for kind, text in bundle.items() if kind in include}
        return {kind: text for kind, text in bundle.items() if kind not in (exclude or ())}


def show_jaxpr(
    function: Callable[..., Any],
    *,
    depth: int | None = None,
    parts: Sequence[str] = ("graph", "table"),
) -> Callable[..., JaxprView]:
    """A function that traces ``function`` at its arguments and shows the jaxpr.

    Args:
      function: any function that adlib can trace, transformed ones included.
      depth: how many levels of nested jaxprs (``scan``, ``jit``, …) to draw open; None for all.
      parts: what a notebook shows, in this order: ``"text"``, ``"graph"``, ``"table"``.

    Returns:
      A function of the same arguments that returns a ``JaxprView``. Arguments that are no
      arrays or numbers, such as strings and functions, are constants. What ``function`` raises
      while it is traced comes through unchanged.

    >>> import adlib.numpy as jnp
    >>> show_jaxpr(lambda x: jnp.sin(x) * x)(1.0)
    { lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = mul b a in (c,) }
    """

    def shown(*args: Any, **kwargs: Any) -> JaxprView:
        __tracebackhide__ = True  # an error while tracing is shown from the user's line on
        leaves, treedef = adlib.tree_util.tree_flatten((args, kwargs))
        traced = [i for i, leaf in enumerate(leaves) if _is_numeric(leaf)]
        if len(traced) == len(leaves):
            jaxpr = adlib.make_jaxpr(function)(*args, **kwargs)
        else:

            @functools.wraps(function)
            def of_numbers(*numbers: Any) -> Any:
                filled = list(leaves)
                for i, number in zip(traced, numbers, strict=True):
                    filled[i] = number
                inner_args, inner_kwargs = adlib.tree_util.tree_unflatten(treedef, filled)
                return function(*inner_args, **inner_kwargs)

            jaxpr = adlib.make_jaxpr(of_numbers)(*(leaves[i] for i in traced))
        names = argument_names(function, args, kwargs)
        return JaxprView(jaxpr, input_names=[names[i] for i in traced], depth=depth, parts=parts)

    return shown


def _is_numeric(leaf: Any) -> bool:
    """Whether a leaf of the arguments is an array or a number, and so becomes an input."""
    return isinstance(leaf, (int, float, complex)) or any(
        hasattr(leaf, name) for name in ("dtype", "__array__", "__jax_array__")
    )
