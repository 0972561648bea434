"""``show_derivation``: a program and its derivative's programs, aligned."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from adlib.inspect import DerivationRecord, LineRecord, derivation_record
from adlib_widgets import html
from adlib_widgets.derivation_groups import words
from adlib_widgets.derivation_scene import derivation_scene
from adlib_widgets.scene import Scene
from adlib_widgets.static_view import StaticView, explorer_of
from adlib_widgets.svg import scene_svg

_MOST_ROWS = 500  # of the table of equations


class DerivationView(StaticView):
    """The programs from a function to its derivative, side by side.

    Attributes:
      record: the ``DerivationRecord`` from which everything is drawn.
    """

    def __init__(self, record: DerivationRecord) -> None:
        self.record = record

    @cached_property
    def _scene(self) -> Scene:
        return derivation_scene(self.record)

    def explore(self) -> Any:
        """An interactive form: step through the programs, follow an equation through all of them.

        Raises:
          ImportError: if the Python package anywidget is not installed.
        """
        return explorer_of(self, "adlib_widgets.derivation_explorer", "DerivationExplorer")

    @cached_property
    def svg(self) -> str:  # type: ignore[override]
        """The programs as the text of an SVG file."""
        told = str(self) if self._short else describe(self.record)
        return scene_svg(self._scene, title=f"derivation: {self.record.kind}", description=told)

    @cached_property
    def html(self) -> str:  # type: ignore[override]
        """The view as HTML that needs no scripts and no trust."""
        picture = html.image(self.svg, describe(self.record), self._scene.width)
        heads = ["program", "step", "equation", "type", "comes from", "line", "role"]
        rows = [
            [program.title, str(line.step), line.text, line.type, *self._origin(line), line.role]
            for program in self.record.programs
            for line in program.lines
        ]
        # a table of thousands of cells makes a page slow: the text says the same
        content = html.table(heads, rows) if self._short else html.preformatted(str(self))
        table = html.details(html.counted(len(rows), "equation"), content)
        return picture + self._passes() + table

    def _passes(self) -> str:
        """What each pass of the compiler did, where the derivation is jit's."""
        passes = self.record.passes
        if not passes:
            return ""
        rows = [[p.name, p.summary, "; ".join(p.notes)] for p in passes]
        heading = f"{len(passes)} pass{'es' * (len(passes) > 1)} of the compiler"
        return html.details(heading, html.table(["pass", "result", "what it did"], rows))

    @property
    def _short(self) -> bool:
        return sum(len(program.lines) for program in self.record.programs) <= _MOST_ROWS

    def _origin(self, line: LineRecord) -> tuple[str, str]:
        if line.origin < 0:
            return "", ""
        found = self.record.origins[line.origin]
        return found.id, found.source

    def __str__(self) -> str:
        lines = [describe(self.record)]
        widest = max(
            (_columns(line.text) for p in self.record.programs for line in p.lines), default=0
        )
        for program in self.record.programs:
            ends = f"({', '.join(program.inputs)}) → ({', '.join(program.outputs)})"
            lines += ["", f"{program.title} {ends}   {program.note}"]
            for line in program.lines:
                space = " " * (widest - _columns(line.text))
                lines.append(f"  {line.text}{space}   ← {self._origin(line)[0] or '–'}")
            groups = [f"  {k}  {words(group)}" for k, group in enumerate(program.groups, 1)]
            lines += ["", "computed together", *groups] if groups else []
        if self.record.passes:
            lines += ["", "passes"]
        for done in self.record.passes:
            lines.append(f"  {done.name}   {done.summary}")
            lines += [f"    {note}" for note in done.notes]
        return "\n".join(lines)


def show_derivation(
    function: Callable[..., Any], kind: str = "grad", *, argnums: int | Sequence[int] = 0
) -> Callable[..., DerivationView]:
    """A function that derives ``function`` at its arguments and shows every program on the way.

    Each equation stands in the band of the equation of the original program that it comes
    from. ``ȧ`` is the tangent of ``a``, ``ā`` its cotangent.

    Args:
      function: any function that adlib can trace.
      kind: ``"jvp"``: the program and its pushforward; ``"linearize"``: also the known and
        the unknown (linear) part of that; ``"grad"``: also the transpose of the linear part;
        ``"vmap"``: the program mapped over the first axis of all arguments; ``"jit"``: the
        program after the compiler's passes, what each of them did, and which equations are
        computed together.
      argnums: the positional arguments to differentiate with respect to.

    Returns:
      A function of the same arguments that returns a ``DerivationView``; its ``.explore()``
      gives the interactive form. What ``function`` raises comes through unchanged.

    >>> import adlib.numpy as jnp
    >>> show_derivation(lambda x: jnp.sin(x) * 2.0, "jvp")(1.0)
    jvp of a program with 2 equations: f 2, jvp 5.
    <BLANKLINE>
    f (a) → (c)   the program
      b = sin a    ← sin_0
      c = b · 2    ← mul_0
    <BLANKLINE>
    jvp (a, ȧ) → (c, ċ)   values and tangents, side by side
      b = sin a    ← sin_0
      t1 = cos a   ← sin_0
      ḃ = ȧ · t1   ← sin_0
      c = b · 2    ← mul_0
      ċ = ḃ · 2    ← mul_0
    """

    def shown(*args: Any, **kwargs: Any) -> DerivationView:
        __tracebackhide__ = True
        return DerivationView(derivation_record(function, kind, args, kwargs, argnums=argnums))

    shown.__wrapped__ = function  # type: ignore[attr-defined]  # for signatures, by name
    return shown


def describe(record: DerivationRecord) -> str:
    """The derivation in one sentence, for readers who do not see it."""
    sizes = ", ".join(f"{program.title} {len(program.lines)}" for program in record.programs)
    return (
        f"{record.kind} of a program with {html.counted(len(record.origins), 'equation')}: {sizes}."
    )


def _columns(text: str) -> int:
    """Letters of a text as they stand on a terminal: marks above letters take no room."""
    return sum(not unicodedata.combining(letter) for letter in text)
