"""What all magics share: their options, ``-h`` and ``-o``, and how calls and cells are read."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from adlib_kernel import options
from adlib_kernel.actions.expressions import Call, read_call
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.problems import Problem, problem_of_cell
from adlib_kernel.actions.progress import bars

CALL = argument("rest", nargs="...", metavar="f(x, y)", help="the call")
NAMES = argument("names", nargs="*", metavar="x y", help="the variables")


def magic(form: str, *arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a method the magic that is typed as ``form``, with these options, -o and -h."""
    cell = form.startswith("%%")  # IPython writes one percent sign into the help by itself
    marked = (cell_magic if cell else line_magic)(form.lstrip("%"))

    def decorate(action: Callable[..., Any]) -> Any:
        made = _explains_itself(action, form)
        last = (argument("-h", "--help", action="store_true", help="print this text only"),)
        output = argument("-o", "--output", metavar="NAME", help="also store the result as NAME")
        # the decorator nearest to the function is applied, and listed, first
        for decorator in reversed((*arguments[:-1], output, *last, *arguments[-1:])):
            made = decorator(made)
        return no_var_expand(needs_local_scope(marked(magic_arguments(form[1:])(made))))

    return decorate


def _explains_itself(action: Callable[..., Any], form: str) -> Callable[..., Any]:
    """Handle ``-h`` and ``-o``, turn mistakes in the line into errors without a traceback, and
    show bars while it takes long."""

    @functools.wraps(action)
    def magic(self: Magics, line: str, *cell: str, local_ns: dict[str, Any] | None = None) -> Any:
        __tracebackhide__ = True  # a user's error is shown from the user's line on
        parsed, rest = options.parse(magic, line)
        if parsed.help:
            print(options.help_text(magic))
            return None
        name = options.stored_name(parsed.output)
        try:
            with bars(form):
                result = action(self, parsed, rest, *cell, local_ns=local_ns)
        except MagicMistake as mistake:
            raise UsageError(str(mistake)) from None
        if name is not None:
            self.shell.push({name: result})
        return result

    return magic


class MagicsBase(Magics):
    """Reads what stands behind a magic's name and below it."""

    def _namespace(self, local_ns: dict[str, Any] | None) -> dict[str, Any]:
        """The names that an expression sees: the user's, and a calling function's own."""
        if local_ns is None or local_ns is self.shell.user_ns:
            return self.shell.user_ns
        return {**self.shell.user_ns, **local_ns}

    def _cell(self, cell: str, magic: str) -> tuple[str, dict[str, Any]]:
        """A cell's Python, and where it stands: the magic's own line is its first."""
        shown = f"{magic}\n{cell}"
        filename = self.shell.compile.cache(shown, self._cell_number(), shown)
        return self.shell.transform_cell(cell), {"filename": filename, "first_line": 2}

    def _cell_number(self) -> int:
        """The number of the cell that runs: IPython's counter may be at it or one further."""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None:
            label = self.shell.compile.format_code_name(frame.f_code.co_filename)
            if label and label[1].startswith("In[") and label[1].endswith("]"):
                return int(label[1][3:-1])
            frame = frame.f_back
        return int(self.shell.execution_count)

    def _call(self, text: str, magic: str, local_ns: Any) -> Call:
        return read_call(text, self._namespace(local_ns), magic)

    def _problem(self, cell: str, names: list[str], magic: str, local_ns: Any) -> Problem:
        code, place = self._cell(cell, magic)
        return problem_of_cell(code, names, self._namespace(local_ns), magic, **place)
