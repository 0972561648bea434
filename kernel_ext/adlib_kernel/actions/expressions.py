"""Calls typed after a magic, and cells, read as Python and evaluated among the user's names."""

from __future__ import annotations

import ast
import builtins
import difflib
import inspect
import symtable
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adlib_kernel.actions.mistakes import MagicMistake

_CAPTURE = "__adlib_capture_arguments__"
_VERBS = {"%%jaxpr": "trace", "%%adtime": "time"}


@dataclass(frozen=True)
class Call:
    """A call that has been read but not made: ``function(*args, **kwargs)``."""

    text: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def read_call(text: str, namespace: dict[str, Any], magic: str) -> Call:
    """Read ``f(x, y)`` and evaluate the function and its arguments, but not the call.

    Args:
      text: one expression, a call.
      namespace: the user's names.
      magic: the magic's name as typed, for messages: ``%jaxpr``.

    Raises:
      MagicMistake: if the text is not a call, or holds a name that there is not.
      Exception: whatever evaluating the function or an argument raises.
    """
    text = text.strip()
    wanted = f"{magic} wants a call, such as {magic} f(x, y)"
    return _call_of(_parsed(text, magic, wanted), text, namespace, magic, wanted)


def read_product(
    text: str, namespace: dict[str, Any], magic: str, *, left: bool
) -> tuple[Call, Any, bool]:
    """Read ``f(x) @ v``, a Jacobian at a call times a vector, or with ``left`` ``w @ f(x)``.

    Returns:
      The call, the value of the vector (None if there is none), and whether there is one.

    Raises:
      MagicMistake: if the text is neither a call nor such a product.
      Exception: whatever evaluating a part raises.
    """
    text = text.strip()
    shape = f"{magic} w @ f(x)" if left else f"{magic} f(x) @ v"
    wanted = f"{magic} wants a call or a product with one, such as {shape}"
    node = _parsed(text, magic, wanted)
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)):
        return _call_of(node, text, namespace, magic, wanted), None, False
    vector, called = (node.left, node.right) if left else (node.right, node.left)
    call = _call_of(called, ast.get_source_segment(text, called) or text, namespace, magic, wanted)
    return call, _evaluated(vector, text, namespace, magic), True


def _parsed(text: str, magic: str, wanted: str) -> ast.expr:
    if not text:
        raise MagicMistake(f"{wanted}; nothing was given.")
    try:
        return ast.parse(text, filename=f"<{magic}>", mode="eval").body
    except SyntaxError as error:
        raise MagicMistake(f"{wanted}; this is not one expression: {text} ({error.msg}).") from None


def _evaluated(expression: ast.expr, text: str, names: dict[str, Any], magic: str) -> Any:
    tree = ast.fix_missing_locations(ast.Expression(expression))
    for name in _free_names(expression):
        if name not in names and not hasattr(builtins, name):
            raise MagicMistake(f"{magic}: there is no name {name}.{_near(name, names)}")
    return eval(compile(tree, f"<{magic} {text}>", "eval"), names)


def _free_names(expression: ast.expr) -> Iterable[str]:
    """The names that an expression reads from outside, in its lambdas and comprehensions too."""
    tables = [symtable.symtable(ast.unparse(expression), "<line>", "eval")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        nested = table.get_type() != "module"
        for symbol in table.get_symbols():
            if symbol.is_global() if nested else not symbol.is_assigned():
                yield symbol.get_name()


def _near(name: str, namespace: dict[str, Any]) -> str:
    own = sorted(word for word in namespace if not word.startswith("_"))
    near = difflib.get_close_matches(name, own, n=1)
    return f" Did you mean {near[0]}?" if near else f" Set it first: {name} = …"


def evaluate(text: str, namespace: dict[str, Any], magic: str) -> Any:
    """The value of an expression in a magic's line.

    Raises:
      MagicMistake: if the text is not one expression, or holds a name that there is not.
      Exception: whatever evaluating it raises.
    """
    text = text.strip()
    return _evaluated(_parsed(text, magic, f"{magic} wants an expression"), text, namespace, magic)


def _call_of(node: ast.expr, text: str, namespace: dict[str, Any], magic: str, wanted: str) -> Call:
    if not isinstance(node, ast.Call):
        repair = ""
        if isinstance(node, (ast.Name, ast.Attribute, ast.Lambda)):
            shown = f"({text})" if isinstance(node, ast.Lambda) else text
            repair = f" Give it arguments: {magic} {shown}(…)."
        raise MagicMistake(f"{wanted}; this is {_kind_of(node)}: {text}.{repair}")

    function = _evaluated(node.func, text, namespace, magic)
    capture = ast.copy_location(ast.Name(_CAPTURE, ast.Load()), node.func)
    captured = ast.copy_location(ast.Call(capture, node.args, node.keywords), node)
    names = {**namespace, _CAPTURE: lambda *args, **kwargs: (args, kwargs)}
    args, kwargs = _evaluated(captured, text, names, magic)
    return Call(text, function, args, kwargs)


def _kind_of(node: ast.expr) -> str:
    names = {
        ast.Name: "a name",
        ast.Attribute: "a name",
        ast.Lambda: "a function",
        ast.Constant: "a constant",
        ast.Tuple: "a tuple",
    }
    return names.get(type(node), "an expression without a call around it")


class CellFunction:
    """A cell as a function of some of the user's variables; its value is its last expression.

    While it runs, the variables hold what the function is called with, for the cell and for
    functions defined earlier that read them; afterwards they hold what they held before.
    Names that the cell assigns stay inside of it.
    """

    def __init__(
        self,
        cell: str,
        names: Sequence[str],
        namespace: dict[str, Any],
        *,
        magic: str = "%%grad",
        filename: str = "<cell>",
        first_line: int = 1,
    ) -> None:
        self.names = tuple(names)
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        # what pictures of the cell call its inputs
        self.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in self.names])
        self._namespace = namespace
        self._magic = magic
        # the blank lines make line numbers those of the cell as the user sees it
        tree = ast.parse("\n" * (first_line - 1) + cell, filename=filename)
        _check_cell(tree, self.names, magic)
        last = tree.body.pop()
        assert isinstance(last, ast.Expr)
        self._text = ast.unparse(last).split("\n")[0]
        self._body = compile(tree, filename, "exec")
        self._last = compile(ast.Expression(last.value), filename, "eval")

    def __call__(self, *values: Any) -> Any:
        __tracebackhide__ = True
        shared = self._namespace
        saved = {name: shared[name] for name in self.names}
        shared.update(zip(self.names, values, strict=True))
        inside = dict(shared)
        try:
            exec(self._body, inside)
            result = eval(self._last, inside)
        finally:
            shared.update(saved)
        if result is None:
            raise MagicMistake(
                f"{self._magic} is about the value of the cell's last line, and this one has none: "
                f"{self._text} gives None."
            )
        return result


def _check_cell(tree: ast.Module, names: Sequence[str], magic: str) -> None:
    verb = _VERBS.get(magic, "differentiate")
    if not tree.body:
        raise MagicMistake(
            f"{magic} wants a cell whose last line is the expression to {verb}; this cell is empty."
        )
    for statement in tree.body:
        for name in _overwritten(statement, names):
            raise MagicMistake(
                f"{magic} {name}: line {statement.lineno} gives {name} a new value, so nothing "
                f"would depend on the {name} that you {verb} with respect to. Set {name} "
                "in a cell above."
            )
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        text = ast.unparse(last).split("\n")[0]
        repair = ""
        if isinstance(last, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            target = last.targets[0] if isinstance(last, ast.Assign) else last.target
            repair = f" Add a last line: {ast.unparse(target)}"
        raise MagicMistake(
            f"{magic} is about the last line of the cell, which has to be an expression; "
            f"this one is a statement: {text}.{repair}"
        )


def _overwritten(statement: ast.stmt, names: Sequence[str]) -> Iterable[str]:
    """The names that a plain assignment replaces without using them."""
    if not isinstance(statement, ast.Assign):
        return
    read = {node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)}
    for target in statement.targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and node.id in names and node.id not in read:
                yield node.id


def look_up(names: Sequence[str], namespace: dict[str, Any], magic: str) -> list[Any]:
    """The values of the user's variables with these names.

    Raises:
      MagicMistake: for what is no name, a name twice, or a name without a value.
    """
    for name in names:
        if not name.isidentifier():
            raise MagicMistake(
                f"{magic} wants names of variables, with spaces between them; "
                f"{name!r} is not a name.{_comma_repair(magic, names)}"
            )
        if name not in namespace:
            raise MagicMistake(f"{magic}: there is no variable {name}.{_near(name, namespace)}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise MagicMistake(f"{magic}: {twice} is named twice; once is enough.")
    return [namespace[name] for name in names]


def _comma_repair(magic: str, names: Sequence[str]) -> str:
    words = [word for name in names for word in name.split(",") if word]
    if any("," in name for name in names) and all(word.isidentifier() for word in words):
        return f" Without commas: {magic} {' '.join(words)}"
    return ""
