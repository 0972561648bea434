"""``show_jaxpr``: a function's jaxpr, drawn."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import adlib
from adlib.core.array import as_value
from adlib.inspect import GraphRecord, argument_names, graph_record
from adlib.inspect.groups import SourceText
from adlib.inspect.listing import ListingRecord, listing_record
from adlib_widgets import html
from adlib_widgets.dot import graph_dot
from adlib_widgets.outline import LazySources, Outline
from adlib_widgets.scene import Painter, Scene, scene_of
from adlib_widgets.static_view import StaticView, explorer_of
from adlib_widgets.svg import scene_svg

_PARTS = ("text", "graph", "table")
_MOST_DESCRIBED = 400  # equations that a picture also holds as text
_MOST_ROWS = 200


class JaxprView(StaticView):
    """A jaxpr as text, as a graph and as a table of equations.

    Displays itself in notebooks; the same jaxpr gives the same bytes everywhere. Long programs
    are drawn in parts: repeated steps, functions, lines.

    Attributes:
      jaxpr: the ``ClosedJaxpr``.
      record: its ``GraphRecord``, from which everything is drawn.
      values: an Array per input, for what is measured by running the program; None if not known.
    """

    def __init__(
        self,
        jaxpr: Any,
        *,
        input_names: Sequence[str] | None = None,
        depth: int | None = None,
        parts: Sequence[str] = ("graph", "table"),
        values: Sequence[Any] | None = None,
    ) -> None:
        unknown = [part for part in parts if part not in _PARTS]
        if unknown:
            raise ValueError(f"parts may hold 'text', 'graph' and 'table'; got {unknown[0]!r}.")
        self.jaxpr = jaxpr
        self.record: GraphRecord = graph_record(jaxpr, input_names=input_names)
        self.values = None if values is None else tuple(as_value(value) for value in values)
        self.depth = depth
        self._parts = tuple(parts)

    @cached_property
    def listing(self) -> ListingRecord:
        """The program's lines, and the user's code behind them."""
        return listing_record(self.jaxpr)

    @cached_property
    def outline(self) -> Outline:
        """What can be folded: nested programs, and the parts of long ones."""
        return Outline(self.record, self._source_texts)

    def _source_texts(self) -> dict[str, SourceText]:
        return {
            line.source: SourceText(line.function, line.source_text) for line in self.listing.lines
        }

    @cached_property
    def painter(self) -> Painter:
        """Draws the outline; the interactive form draws with the same one."""
        return Painter(self.outline)

    @cached_property
    def _scene(self) -> Scene:
        return scene_of(self.painter.draw(self.outline.to_depth(self.depth)))

    @cached_property
    def _count(self) -> int:
        return sum(1 for _ in html.walk_equations(self.record))

    @cached_property
    def svg(self) -> str:
        """The graph as the text of an SVG file."""
        description = html.describe(self.record)
        if self._count <= _MOST_DESCRIBED:
            description = f"{description}\n{self}"
        return scene_svg(self._scene, title="jaxpr", description=description)

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
            summary = html.counted(self._count, "equation")
            if self._count > _MOST_ROWS:
                summary += f", the first {_MOST_ROWS} of them"
            table = html.equation_table(self.record, most=_MOST_ROWS)
            pieces.append(html.details(summary, table))
        return "".join(pieces)

    def explore(self) -> Any:
        """The graph beside its equations and your code, to unfold, search, colour and save.

        Returns:
          A ``JaxprExplorer``: a widget, whose traits (``unfolded``, ``selected``, ``color``, …) can
          be read and set.

        Raises:
          ImportError: if the Python package anywidget is not installed.
        """
        return explorer_of(self, "adlib_widgets.jaxpr_explorer", "JaxprExplorer")

    def to_dot(self) -> str:
        """The graph in the DOT language. No program of Graphviz is needed for this."""
        return graph_dot(self.record, LazySources(self._source_texts))

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

    def _writers(self) -> dict[str, Callable[[], str]]:
        return {**super()._writers(), ".dot": self.to_dot}

    def __str__(self) -> str:
        return str(self.jaxpr)


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
      A function of the same arguments that returns a ``JaxprView``, whose ``explore()`` gives the
      interactive form. Arguments that are no arrays or numbers, such as strings and functions,
      are constants. What ``function`` raises while it is traced comes through unchanged.

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
        return JaxprView(
            jaxpr,
            input_names=[names[i] for i in traced],
            depth=depth,
            parts=parts,
            values=None if _abstract(leaves, traced) else [leaves[i] for i in traced],
        )

    return shown


def _is_numeric(leaf: Any) -> bool:
    """Whether a leaf of the arguments is an array or a number, and so becomes an input."""
    return isinstance(leaf, (int, float, complex)) or any(
        hasattr(leaf, name) for name in ("dtype", "__array__", "__jax_array__")
    )


def _abstract(leaves: Sequence[Any], traced: Sequence[int]) -> bool:
    """Whether some arguments are only types (``ShapeDtypeStruct``), or tracers, without values."""
    number = (int, float, complex)
    return not all(isinstance(leaves[i], number) or hasattr(leaves[i], "__array__") for i in traced)
