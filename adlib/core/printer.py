"""Jaxprs as text, in the form that the field reads and writes."""

from __future__ import annotations

import enum
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from adlib.core import dtypes
from adlib.core import jaxpr as jaxpr_module
from adlib.core.jaxpr import ClosedJaxpr, Eqn, Jaxpr, Literal, Var, subjaxprs

_WIDTH = 80


def _letters() -> Iterator[str]:
    """a … z, ba, bb, …: counting in base 26 with letters for digits."""
    for n in itertools.count():
        text = ""
        while True:
            n, digit = divmod(n, 26)
            text = chr(ord("a") + digit) + text
            if n == 0:
                break
        yield text


class _Context:
    def __init__(self, jaxpr: Jaxpr) -> None:
        self.letters = _letters()
        self.names: dict[Var, str] = {}
        self.used: set[Var] = set()
        self.shared: dict[int, str] = {}
        self._scan_uses(jaxpr)
        self.repeated = self._repeated_calls(jaxpr)

    def _scan_uses(self, jaxpr: Jaxpr) -> None:
        self.used.update(v for v in jaxpr.outvars if isinstance(v, Var))
        for eqn in jaxpr.eqns:
            self.used.update(v for v in eqn.invars if isinstance(v, Var))
            for _, sub in subjaxprs(eqn.params):
                self._scan_uses(sub)

    def _repeated_calls(self, jaxpr: Jaxpr) -> dict[int, tuple[str, Jaxpr]]:
        """Programs called by name more than once: printed first, then referred to."""
        count: Counter[int] = Counter()
        found: dict[int, tuple[str, Jaxpr]] = {}

        def visit(inner: Jaxpr) -> None:
            for eqn in inner.eqns:
                for _, sub in subjaxprs(eqn.params):
                    if eqn.primitive.name == "jit":
                        count[id(sub)] += 1
                        if count[id(sub)] > 1:
                            continue
                    visit(sub)
                    if eqn.primitive.name == "jit":
                        found[id(sub)] = (str(eqn.params.get("name", "fun")), sub)

        visit(jaxpr)
        return {key: value for key, value in found.items() if count[key] > 1}

    def name(self, var: Var) -> str:
        if var not in self.names:
            self.names[var] = next(self.letters)
        return self.names[var]

    def binder(self, var: Var) -> str:
        name = self.name(var) if var in self.used else "_"
        return f"{name}:{var.aval.str_short()}"

    def atom(self, atom: Any) -> str:
        if isinstance(atom, Literal):
            return f"{_scalar_text(atom)}:{atom.aval.str_short()}"
        return self.name(atom)


def _scalar_text(literal: Literal) -> str:
    if isinstance(literal.aval.dtype, dtypes.ExtendedDType):
        return "key"
    value = literal.val
    if literal.aval.dtype.kind in "biufc":
        return repr(value.item())
    return repr(float(value))  # bfloat16 and its like


def format_jaxpr(jaxpr: Jaxpr) -> str:
    """Text of a jaxpr: ``{ lambda constants ; inputs. let equations in (outputs,) }``."""
    return _formatted(jaxpr, _Context(jaxpr))


def variable_names(jaxpr: Jaxpr) -> dict[Var, str]:
    """The letters that the printed form gives to the variables, nested ones included.

    A variable that prints as ``_``, because nothing reads it, is not in the dict.
    """
    context = _Context(jaxpr)
    _formatted(jaxpr, context)
    return context.names


def _formatted(jaxpr: Jaxpr, context: _Context) -> str:
    text = ""
    for key, (name, sub) in context.repeated.items():
        label = name if name not in context.shared.values() else f"{name}{len(context.shared)}"
        text += f"let {label} = " + "\n".join(_jaxpr_lines(sub, context, len(label) + 7)) + " in\n"
        context.shared[key] = label
    return text + "\n".join(_jaxpr_lines(jaxpr, context, 0))


def _jaxpr_lines(jaxpr: Jaxpr, context: _Context, column: int, indent: int = 0) -> list[str]:
    """A program whose first line starts at ``column`` and whose others are indented."""
    binders = [
        " ".join(map(_joined_binder(context), group)) for group in (jaxpr.constvars, jaxpr.invars)
    ]
    head = f"{{ lambda {binders[0]}; {binders[1]}. let"
    bodies = [_eqn_lines(eqn, context, indent + 4) for eqn in jaxpr.eqns]
    outs = [context.atom(v) for v in jaxpr.outvars]
    tail = f"in ({', '.join(outs)}{',' if len(outs) == 1 else ''}) }}"
    if all(len(lines) == 1 for lines in bodies):
        flat = f"{head} {'; '.join(lines[0] for lines in bodies)} {tail}"
        if column + len(flat) <= _WIDTH:
            return [flat]
    lines = _wrapped(head, 4)
    for body in bodies:
        lines += ["    " + line for line in body]
    return [*lines, "  " + tail]


def _joined_binder(context: _Context) -> Any:
    def binder(var: Var) -> str:
        # inputs are named even where nothing reads them
        return f"{context.name(var)}:{var.aval.str_short()}"

    return binder


def _wrapped(text: str, indent: int) -> list[str]:
    """Words of ``text`` on lines of at most the page's width."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > _WIDTH + 4:
            lines.append(line)
            line = " " * indent + word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def _eqn_lines(eqn: Eqn, context: _Context, indent: int) -> list[str]:
    left = " ".join(context.binder(v) for v in eqn.outvars)
    if eqn.primitive.name == "jit":
        _align_names(eqn, context)
    args = "".join(" " + context.atom(v) for v in eqn.invars) or " "
    prefix = f"{left} = {eqn.primitive.name}"
    params = [_param_lines(k, v, context, indent) for k, v in _in_order(eqn) if _shown(eqn, k, v)]
    if not params:
        return [prefix + args]
    if all(len(lines) == 1 for lines in params):
        flat = f"{prefix}[{' '.join(lines[0] for lines in params)}]"
        if indent + len(flat) <= _WIDTH:
            return [flat + args]
    body = ["  " + line for lines in params for line in lines]
    return [f"{prefix}[", *body, f"]{args}"]


def equation_line(eqn: Eqn, names: dict[Var, str]) -> str:
    """An equation as it prints, on one line and without the programs in it.

    Args:
      eqn: the equation.
      names: of the variables, as ``variable_names`` gives them for the program around it.
    """
    left = " ".join(f"{names.get(v, '_')}:{v.aval.str_short()}" for v in eqn.outvars)
    params = []
    for name, value in _in_order(eqn):
        items = value if isinstance(value, tuple | list) else (value,)
        if _shown(eqn, name, value) and not any(isinstance(v, ClosedJaxpr | Jaxpr) for v in items):
            params.append(_plain_param(name, value))
    args = "".join(
        " " + (f"{_scalar_text(v)}:{v.aval.str_short()}" if isinstance(v, Literal) else names[v])
        for v in eqn.invars
    )
    shown = f"[{' '.join(params)}]" if params else ""
    return f"{left} = {eqn.primitive.name}{shown}{args}"


def _align_names(eqn: Eqn, context: _Context) -> None:
    """Inside of a call, arguments and results go by the caller's names."""
    inner = eqn.params["jaxpr"].jaxpr
    if id(inner) in context.shared:
        return
    pairs = [
        *zip(inner.invars, eqn.invars, strict=True),
        *zip(inner.outvars, eqn.outvars, strict=True),
    ]
    taken: set[Var] = set()  # a value that is passed twice has one name here and two inside
    for mine, theirs in pairs:
        if not isinstance(mine, Var) or not isinstance(theirs, Var) or theirs in taken:
            continue
        taken.add(theirs)
        if mine not in context.names and (theirs in context.used or theirs in context.names):
            context.names[mine] = context.name(theirs)


def _in_order(eqn: Eqn) -> list[tuple[str, Any]]:
    """Parameters by name, but a call's own name first."""
    return sorted(eqn.params.items(), key=lambda item: (item[0] != "name", item[0]))


def _shown(eqn: Eqn, name: str, value: Any) -> bool:
    if eqn.primitive.name == "broadcast_in_dim" and name == "shape":
        return False  # the result's type says it
    if eqn.primitive.name.startswith("custom_") and name == "num_consts":
        return bool(value)
    if eqn.primitive.name == "dot_general" and value is None:
        return False
    return not (name.startswith("_") or (name == "broadcast_dimensions" and value == ()))


def _param_lines(name: str, value: Any, context: _Context, indent: int) -> list[str]:
    if isinstance(value, ClosedJaxpr | Jaxpr):
        lines = _program_lines(value, context, indent + len(name) + 3, indent + 2)
        return [f"{name}={lines[0]}", *lines[1:]]
    if isinstance(value, tuple | list) and value and isinstance(value[0], ClosedJaxpr | Jaxpr):
        lines = [f"{name}=("]
        for item in value:
            lines += ["  " + line for line in _program_lines(item, context, indent + 4, indent + 4)]
        return [*lines, ")"]
    return [_plain_param(name, value)]


def _plain_param(name: str, value: Any) -> str:
    if name == "dimension_numbers" and type(value) is tuple:
        # the field writes groups of axes as lists: (([1], [0]), ([], []))
        groups = [f"({', '.join(str(list(axes)) for axes in pair)})" for pair in value]
        return f"{name}=({', '.join(groups)})"
    return f"{name}={_value_text(value)}"


def _program_lines(
    value: ClosedJaxpr | Jaxpr, context: _Context, column: int, indent: int
) -> list[str]:
    inner = value.jaxpr if isinstance(value, ClosedJaxpr) else value
    if id(inner) in context.shared:
        return [context.shared[id(inner)]]
    return _jaxpr_lines(inner, context, column, indent)


def _value_text(value: Any) -> str:
    if isinstance(value, np.dtype):
        return str(value.name)
    if isinstance(value, dtypes.ExtendedDType):
        return value.name
    if isinstance(value, bool | int | float | str | None):
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return repr(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(_value_text, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(map(_value_text, value))}]"
    if isinstance(value, enum.Enum):
        return repr(value)
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return " ".join(str(value).split())


jaxpr_module.format_jaxpr[0] = format_jaxpr
