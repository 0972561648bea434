"""A jaxpr line by line, each line with its equation and the user's line that it comes from."""

from __future__ import annotations

import linecache
import types
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from adlib.base.source import SourceLocation
from adlib.core import ClosedJaxpr, Jaxpr, Literal, Var
from adlib.core.printer import equation_line, variable_names
from adlib.inspect.texts import literal_text, nested_programs, program_title

_SHORT_CELL = 80  # lines: a cell up to here is shown whole
_NEAR = 3  # pieces of a file that are no further apart are shown as one


@dataclass(frozen=True, slots=True)
class ListingLine:
    """A line of the listing.

    Attributes:
      text: the equation as it prints, without the programs in it; or the head or end of a program.
      indent: how many programs it stands in.
      path: of the equation's node, e.g. ``scan_0/body/mul_1``; of a head or an end the path of
        the equation that holds the program, empty for the outermost.
      kind: ``head``, ``equation`` or ``end``.
      source: the user's line, ``In[3]:2``; empty if not known.
      function: the user's function that holds that line.
      source_text: the text of that line.
    """

    text: str
    indent: int
    path: str
    kind: str
    source: str = ""
    function: str = ""
    source_text: str = ""


@dataclass(frozen=True, slots=True)
class SourceBlock:
    """A piece of the user's code: a cell, or the functions of a file that were traced.

    Attributes:
      name: ``In[3]`` or ``model.py``.
      first: the number of its first line.
      lines: its text.
    """

    name: str
    first: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListingRecord:
    """A program's lines, and the user's code behind them."""

    lines: tuple[ListingLine, ...]
    sources: tuple[SourceBlock, ...]


def listing_record(jaxpr: ClosedJaxpr | Jaxpr) -> ListingRecord:
    """The listing of a jaxpr; variables go by the names of the printed form.

    >>> import adlib, adlib.numpy as jnp
    >>> record = listing_record(adlib.make_jaxpr(lambda x: jnp.sin(x) * x)(1.0))
    >>> [(line.text, line.path) for line in record.lines]
    [('{ lambda ; a:f32[]. let', ''), ('b:f32[] = sin a', 'sin_0'), \
('c:f32[] = mul b a', 'mul_0'), ('in (c,) }', '')]
    """
    inner = jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr
    lister = _Lister(variable_names(inner))
    lister.program(inner, "", "", "", 0)
    return ListingRecord(tuple(lister.lines), _blocks(lister.used))


@dataclass
class _Lister:
    names: dict[Var, str]
    lines: list[ListingLine] = field(default_factory=list)
    used: dict[types.CodeType, set[int]] = field(default_factory=dict)
    texts: dict[tuple[str, int], tuple[str, str, str]] = field(default_factory=dict)

    def program(self, jaxpr: Jaxpr, title: str, owner: str, prefix: str, indent: int) -> None:
        """List a program; ``owner`` is the path of the equation that holds it."""
        binders = [" ".join(map(self._binder, vs)) for vs in (jaxpr.constvars, jaxpr.invars)]
        head = f"{{ lambda {binders[0]}; {binders[1]}. let"
        head = f"{title}={head}" if title else head
        self.lines.append(ListingLine(head, indent, owner, "head"))
        count: Counter[str] = Counter()
        for eqn in jaxpr.eqns:
            name = eqn.primitive.name
            path = f"{prefix}{name}_{count[name]}"
            count[name] += 1
            text = equation_line(eqn, self.names)
            where = self._where(eqn.source)
            self.lines.append(ListingLine(text, indent + 1, path, "equation", *where))
            for param, position, nested in nested_programs(eqn.params):
                part = program_title(eqn, param, position)
                inside = nested.jaxpr if isinstance(nested, ClosedJaxpr) else nested
                self.program(inside, part, path, f"{path}/{part}/", indent + 2)
        outs = [literal_text(v) if isinstance(v, Literal) else self.names[v] for v in jaxpr.outvars]
        end = f"in ({', '.join(outs)}{',' if len(outs) == 1 else ''}) }}"
        self.lines.append(ListingLine(end, indent, owner, "end"))

    def _binder(self, var: Var) -> str:
        return f"{self.names.get(var, '_')}:{var.aval.str_short()}"

    def _where(self, location: SourceLocation | None) -> tuple[str, str, str]:
        if location is None:
            return "", "", ""
        key = (location.file_name, location.line)
        if key not in self.texts:  # many equations come from one line
            function = location.function.rpartition("<locals>.")[2]
            self.texts[key] = (location.summary(), function, location.text())
        self.used.setdefault(location._code, set()).add(location.line)
        return self.texts[key]


def _blocks(used: dict[types.CodeType, set[int]]) -> tuple[SourceBlock, ...]:
    """The pieces of the user's files that hold the functions with these lines."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    for code, lines in used.items():
        ranges.setdefault(code.co_filename, []).append(_extent(code, lines))
    blocks = []
    for file_name, pieces in ranges.items():
        text = linecache.getlines(file_name)
        if not text:
            continue
        name = SourceLocation(_any_code(used, file_name), 1).summary().rpartition(":")[0]
        if name.startswith("In[") and len(text) <= _SHORT_CELL:
            pieces = [(1, len(text))]
        for first, last in _joined(sorted(pieces)):
            shown = tuple(line.rstrip("\n") for line in text[first - 1 : last])
            blocks.append(SourceBlock(name, first, shown))
    return tuple(blocks)


def _any_code(used: dict[types.CodeType, set[int]], file_name: str) -> types.CodeType:
    return next(code for code in used if code.co_filename == file_name)


def _extent(code: types.CodeType, lines: set[int]) -> tuple[int, int]:
    """First and last line of a function; of a module only the lines that were used."""
    if code.co_name == "<module>":
        return min(lines), max(lines)
    last = max((line for *_, line in code.co_lines() if line), default=code.co_firstlineno)
    return code.co_firstlineno, max(last, *lines)


def _joined(pieces: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in pieces:
        if joined and first <= joined[-1][1] + _NEAR:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
