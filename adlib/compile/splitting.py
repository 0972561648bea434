"""LLVM text cut in two: what is worth optimising, and the rest.

LLVM's optimising code generator takes several times as long for a function that is not to be
optimised (``optnone``) than its plain one, since every pass is set up all the same. Half of a
program is such code: entries, lists of calls, the exact versions of kernels with rare cases. So a
program becomes two modules that are compiled apart and linked: functions of the one that the other
calls are visible to it, and declared there.
"""

from __future__ import annotations

import re

_HEADER = re.compile(r"define (internal )?([^@\n]*)@([\w.]+)\(([^)\n]*)\)([^\n]*)\{")
_NAME = re.compile(r"@([\w.]+)")


class _Function:
    """One definition: its text, what it is called and needs."""

    __slots__ = ("header", "needs", "text")

    def __init__(self, text: str) -> None:
        header = _HEADER.match(text)
        if header is None:
            raise ValueError(f"no definition of a function: {text[:60]!r}")
        self.text = text
        self.header = header
        self.needs = set(_NAME.findall(text)) - {self.name}

    @property
    def name(self) -> str:
        return self.header.group(3)

    @property
    def optimised(self) -> bool:
        return " optnone" not in self.header.group(5)

    def visible(self) -> str:
        """The definition, to be found by the other module."""
        if not self.header.group(1):
            return self.text
        return "define hidden " + self.text[len("define internal ") :]

    def declaration(self) -> str:
        types = ", ".join([p.split(" ")[0] for p in self.header.group(4).split(", ") if p])
        return f"declare {self.header.group(2)}@{self.name}({types})"


def split(text: str) -> tuple[str, str]:
    """The module of the functions that are optimised, and that of the others.

    One of them is empty where there are no such functions, or where the text has variables of its
    own. Declarations, metadata and private constants stand in each module that needs them; the
    table of links stands in the second.
    """
    start = text.find("\ndefine ") + 1 if not text.startswith("define ") else 0
    prelude = text[:start].splitlines()
    variables = [line for line in prelude if " global " in line]
    if (not start and not text.startswith("define ")) or len(variables) > 1:
        return text, ""
    pieces = text[start:].split("\ndefine ")
    pieces = [pieces[0], *["define " + piece for piece in pieces[1:]]]
    body, _, tail = pieces[-1].partition("\n}\n")
    pieces[-1] = body + "\n}\n"
    functions = [_Function(piece) for piece in pieces]
    parts = [f for f in functions if f.optimised], [f for f in functions if not f.optimised]
    if not parts[0] or not parts[1]:
        return (text, "") if parts[0] else ("", text)
    first = _module(parts[0], parts[1], prelude, tail, False)
    return first, _module(parts[1], parts[0], prelude, tail, True)


def _module(
    own: list[_Function], others: list[_Function], prelude: list[str], tail: str, holds: bool
) -> str:
    """A module of some functions; ``holds``: it has the variables that both use."""
    needed = set().union(*[f.needs for f in own])
    asked = set().union(*[f.needs for f in others])
    lines = []
    for line in prelude:
        name = _NAME.search(line)
        if name is None or name.group(1) in needed:
            pass
        elif " global " not in line or not holds:
            continue
        if " global " in line and not holds:
            line = _external(line)
        lines.append(line)
    lines += [f.declaration() for f in others if f.name in needed]
    texts = [f.visible() if f.name in asked else f.text for f in own]
    return "\n".join([*lines, *texts, tail])


def _external(line: str) -> str:
    """The declaration of a variable that is defined elsewhere."""
    name, _, rest = line.partition(" = ")
    kind = rest.split("global ", 1)[1]
    if kind.startswith("["):
        kind = kind[: kind.index("]") + 1]
    else:
        kind = kind.split(" ")[0]
    return f"{name} = external global {kind}"
