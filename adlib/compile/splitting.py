"""LLVM text cut in three: what is worth optimising, what is written as it should be, and the rest.

LLVM's optimising code generator takes several times as long for a function that is not to be
optimised (``optnone``) than its plain one, since every pass is set up all the same. Half of a
program is such code: entries, lists of calls, the exact versions of kernels with rare cases. So a
program becomes modules that are compiled apart and linked: functions of the one that another
calls are visible to it, and declared there. Functions whose loops are written with vectors need
the good code generator, but none of the passes before it, and stand in a module of their own.
"""

from __future__ import annotations

import re

from adlib.compile.llvm_module import WRITTEN

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
    def kind(self) -> int:
        """Which module it belongs to."""
        attributes = self.header.group(5)
        return 2 if " optnone" in attributes else 1 if WRITTEN in attributes else 0

    def visible(self) -> str:
        """The definition, to be found by the other module."""
        if not self.header.group(1):
            return self.text
        return "define hidden " + self.text[len("define internal ") :]

    def declaration(self) -> str:
        types = ", ".join([p.split(" ")[0] for p in self.header.group(4).split(", ") if p])
        return f"declare {self.header.group(2)}@{self.name}({types})"


def split(text: str) -> tuple[str, str, str]:
    """The modules of the functions that are optimised, of those that are written as they should
    be, and of the others.

    They are empty where there are no such functions, or where the text has variables of its own.
    Declarations, metadata and private constants stand in each module that needs them; the table
    of links stands in the last one.
    """
    start = text.find("\ndefine ") + 1 if not text.startswith("define ") else 0
    prelude = text[:start].splitlines()
    variables = [line for line in prelude if " global " in line]
    if (not start and not text.startswith("define ")) or len(variables) > 1:
        return text, "", ""
    pieces = text[start:].split("\ndefine ")
    pieces = [pieces[0], *["define " + piece for piece in pieces[1:]]]
    body, _, tail = pieces[-1].partition("\n}\n")
    pieces[-1] = body + "\n}\n"
    functions = [_Function(piece) for piece in pieces]
    last = max([f.kind for f in functions])
    modules = []
    for kind in range(3):
        own = [f for f in functions if f.kind == kind]
        others = [f for f in functions if f.kind != kind]
        if not others:
            modules.append(text)
        else:
            modules.append(_module(own, others, prelude, tail, kind == last) if own else "")
    return modules[0], modules[1], modules[2]


def _module(
    own: list[_Function], others: list[_Function], prelude: list[str], tail: str, holds: bool
) -> str:
    """A module of some functions; ``holds``: it has the variables that all use."""
    needed = set().union(*[f.needs for f in own])
    asked = set().union(*[f.needs for f in others])
    lines = []
    for line in prelude:
        name = _NAME.search(line)
        shared = " global " in line
        if name is not None and name.group(1) not in needed and not (shared and holds):
            continue
        lines.append(_external(line) if shared and not holds else line)
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
