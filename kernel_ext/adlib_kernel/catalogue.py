"""The table of magics: what there is, with examples. Help and documentation are made from it."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.tables import html_table, text_table
from adlib_widgets import html
from adlib_widgets.svg import escaped


@dataclass(frozen=True)
class Entry:
    """One magic.

    Attributes:
      name: without percent signs.
      forms: each form as typed, with the method of ``AutodiffMagics`` behind it.
      about: what it does, in one line.
      examples: cells.
    """

    name: str
    forms: dict[str, str]
    about: str
    examples: tuple[str, ...]


CATALOGUE = (
    Entry(
        "grad",
        {"%grad": "grad", "%%grad": "grad_cell"},
        "value and gradient, with respect to a call's floats or to named variables",
        (
            "%grad f(x, y)",
            "%grad --flow f(x, y)",
            "%%grad --check --hessian x y\nr = x * y\nr.sum()",
        ),
    ),
    Entry(
        "jvp",
        {"%jvp": "jvp", "%%jvp": "jvp_cell"},
        "the derivative along a direction: the Jacobian times a vector",
        ("%jvp f(x) @ v", "%jvp g(x, y) @ (v, w)", "%%jvp x=v y\njnp.sin(x) * y"),
    ),
    Entry(
        "vjp",
        {"%vjp": "vjp", "%%vjp": "vjp_cell"},
        "a cotangent pulled back: a vector times the Jacobian",
        ("%vjp w @ f(x)", "%%vjp --cotangent w x y\njnp.sin(x) * y"),
    ),
    Entry(
        "jaxpr",
        {"%jaxpr": "jaxpr", "%%jaxpr": "jaxpr_cell"},
        "the jaxpr as text, graph and table of equations",
        ("%jaxpr grad(f)(x)", "%jaxpr --graph --depth 1 f(x)", "%%jaxpr x\njnp.sin(x) * x"),
    ),
    Entry(
        "adtime",
        {"%adtime": "adtime", "%%adtime": "adtime_cell"},
        "times of f, jvp, vjp, grad and hessian as multiples of f, eager and jitted",
        ("%adtime -o cost f(x, y)", "cost.plot();", "%%adtime x\njnp.sin(x).sum()"),
    ),
    Entry(
        "checkgrads",
        {"%checkgrads": "checkgrads", "%%checkgrads": "checkgrads_cell"},
        "derivatives against finite differences, by order and mode",
        ("%checkgrads f(x, y)", "%%checkgrads --order 3 --modes rev x\njnp.tanh(x) * x"),
    ),
    Entry(
        "derive",
        {"%derive": "derive", "%%derive": "derive_cell"},
        "every program between a function and its derivative, side by side",
        (
            "%derive f(x)",
            "%derive --kind vmap f(xs)",
            "%derive --jit f(x)",
            "%%derive --kind jvp x y\nf(x, y)",
        ),
    ),
    Entry(
        "flow",
        {"%flow": "flow", "%%flow": "flow_cell"},
        "the numbers of the forward and of the reverse sweep, equation by equation",
        ("%flow f(x, y)", "%flow --widget f(x, y)", "%%flow x y\njnp.sin(x) * y"),
    ),
    Entry(
        "jacobian",
        {"%jacobian": "jacobian", "%%jacobian": "jacobian_cell"},
        "the Jacobian with its sparsity, by columns and by rows, and what each costs",
        ("%jacobian jnp.sin(xs)", "%%jacobian xs\nxs[1:] * xs[:-1]"),
    ),
    Entry(
        "admem",
        {"%admem": "admem", "%%admem": "admem_cell"},
        "the memory of reverse mode: residuals by source line, and what a checkpoint saves",
        ("%admem f(x, y)", "%%admem x y\njnp.sin(x) * y"),
    ),
    Entry(
        "whynan",
        {"%whynan": "whynan", "%%whynan": "whynan_cell"},
        "the first NaN or infinity in value, tangents or cotangents, and its usual repair",
        ("%whynan jnp.sqrt(x)", "%%whynan x\njnp.where(x > 0, jnp.sqrt(x), 0.0)"),
    ),
    Entry(
        "check",
        {"%check": "check", "%%check": "check_cell"},
        "an answer to an exercise, and what is wrong with it",
        (
            "%check slope my_slope",
            "%check --hint slope",
            "%%check slope\ndef my_slope(x):\n    return 2 * x",
        ),
    ),
    Entry(
        "addevice",
        {"%addevice": "addevice"},
        "show or choose where adlib computes: cpu or gpu",
        ("%addevice", "%addevice cpu"),
    ),
    Entry(
        "adlib",
        {"%adlib": "adlib"},
        "this help: all magics, or one of them with its options",
        ("%adlib", "%adlib grad"),
    ),
)


@dataclass(frozen=True)
class HelpPage:
    """A page of help; a notebook shows its table as a table."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}


def overview() -> HelpPage:
    """All magics in one table."""
    rows = [[", ".join(entry.forms), entry.about, first_line(entry)] for entry in CATALOGUE]
    after = "%adlib grad, or any other name, shows its options and more examples."
    return HelpPage(
        f"{text_table(rows)}\n{after}",
        html_table(["magic", "what it shows", "for example"], rows) + f"<p>{after}</p>",
    )


def first_line(entry: Entry) -> str:
    """The first example, as far as it fits a table."""
    return entry.examples[0].split("\n")[0]


def page(name: str, magics: Any) -> HelpPage:
    """One magic with its examples and options.

    Args:
      name: with or without percent signs.
      magics: the class with the methods that ``Entry.forms`` names.

    Raises:
      MagicMistake: there is no such magic.
    """
    names = [entry.name for entry in CATALOGUE]
    plain = name.lstrip("%")
    if plain not in names:
        near = difflib.get_close_matches(plain, names, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
        raise MagicMistake(f"%adlib: there is no magic {plain}. {hint}")
    entry = CATALOGUE[names.index(plain)]
    examples = "\n\n".join(entry.examples)
    rows = option_rows(entry, magics)
    title = f"{', '.join(entry.forms)}: {entry.about}"
    indented = "\n".join(f"    {line}" if line else "" for line in examples.split("\n"))
    return HelpPage(
        f"{title}\n\n{indented}\n\n{text_table(rows)}",
        f"<p>{escaped(title)}</p>{html.preformatted(examples)}"
        + html_table(["option", "meaning"], rows),
    )


def option_rows(entry: Entry, magics: Any) -> list[list[str]]:
    """Every option of a magic's forms with its meaning, each once."""
    rows: dict[str, list[str]] = {}
    for method in entry.forms.values():
        for action in parser_of(getattr(magics, method))._actions:
            shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            if action.option_strings and action.nargs != 0:
                shown += f" {action.metavar or action.dest.upper()}"
            rows.setdefault(shown, [shown, action.help or ""])
    return list(rows.values())


def parser_of(magic: Callable[..., Any]) -> argparse.ArgumentParser:
    """The parser that ``magic_arguments`` has made."""
    return magic.parser  # type: ignore[attr-defined, no-any-return]


def reference(magics: Any) -> str:
    """The part of ``docs/magics.md`` that is made from this table."""
    lines = ["| magic | what it shows |", "|---|---|"]
    lines += [
        f"| {', '.join(f'`{form}`' for form in entry.forms)} | {entry.about} |"
        for entry in CATALOGUE
    ]
    for entry in CATALOGUE:
        lines += ["", f"## {', '.join(f'`{form}`' for form in entry.forms)}", ""]
        lines += [f"{entry.about[0].upper()}{entry.about[1:]}.", ""]
        for example in entry.examples:
            lines += ["```text", example, "```"]
        lines += ["", "| option | meaning |", "|---|---|"]
        lines += [f"| `{shown}` | {meaning} |" for shown, meaning in option_rows(entry, magics)]
    return "\n".join(lines) + "\n"
