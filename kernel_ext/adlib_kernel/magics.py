"""The magics: options in, a public function called, its rich result out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.core.magic_arguments import argument, magic_arguments

from adlib_kernel import options
from adlib_kernel.actions.expressions import read_call
from adlib_kernel.actions.grad import gradient_of_cell
from adlib_kernel.actions.jaxpr import jaxpr_of_call
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.timing import time_call

_help = argument("-h", "--help", action="store_true", help="print this text and do nothing")
_output = argument("-o", "--output", metavar="NAME", help="also store the result as NAME")


def _explains_itself(action: Callable[..., Any]) -> Callable[..., Any]:
    """Handle ``-h`` and ``-o``, and turn mistakes in the line into errors without a traceback."""

    @functools.wraps(action)
    def magic(self: Magics, line: str, *cell: str, local_ns: dict[str, Any] | None = None) -> Any:
        __tracebackhide__ = True  # a user's error is shown from the user's line on
        parsed, rest = options.parse(magic, line)
        if parsed.help:
            print(options.help_text(magic))
            return None
        name = options.stored_name(parsed.output)
        try:
            result = action(self, parsed, rest, *cell, local_ns=local_ns)
        except MagicMistake as mistake:
            raise UsageError(str(mistake)) from None
        if name is not None:
            self.shell.push({name: result})
        return result

    return magic


@magics_class
class AutodiffMagics(Magics):
    """Gradients, jaxprs and the cost of derivatives, without leaving the cell."""

    def _namespace(self, local_ns: dict[str, Any] | None) -> dict[str, Any]:
        """The names that an expression sees: the user's, and a calling function's own."""
        if local_ns is None or local_ns is self.shell.user_ns:
            return self.shell.user_ns
        return {**self.shell.user_ns, **local_ns}

    @no_var_expand
    @needs_local_scope
    @cell_magic
    @magic_arguments("%grad")
    @argument("--check", action="store_true", help="compare with central finite differences")
    @_output
    @_help
    @argument("names", nargs="*", help="variables to differentiate with respect to")
    @_explains_itself
    def grad(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Differentiate a cell's last expression with respect to variables.

        %%grad x y
        r = x * y
        r.sum()

        shows the value and the gradient with respect to x and y. The cell runs like the body
        of a function: names that it assigns stay inside.
        """
        __tracebackhide__ = True
        compiler = self.shell.compile
        first_line = 2  # the magic's own line is the first of the cell
        shown = "%%grad\n" + cell
        number = self.shell.execution_count
        filename = compiler.cache(shown, number, shown)
        return gradient_of_cell(
            self.shell.transform_cell(cell),
            parsed.names,
            self._namespace(local_ns),
            check=parsed.check,
            filename=filename,
            first_line=first_line,
        )

    @no_var_expand
    @needs_local_scope
    @line_magic
    @magic_arguments()
    @argument("--graph", action="store_true", help="show the graph only")
    @argument("--text", action="store_true", help="show the text only")
    @argument("--depth", type=int, help="levels of nested jaxprs to draw open; all if not given")
    @_output
    @_help
    @argument("rest", nargs="...", metavar="f(x, y)", help="the call to trace")
    @_explains_itself
    def jaxpr(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show the jaxpr of a call: its text, its graph and a table of its equations.

        %jaxpr grad(f)(x) shows that of a gradient.
        """
        __tracebackhide__ = True
        if parsed.graph and parsed.text:
            raise MagicMistake("%jaxpr: --graph and --text exclude each other; leave both out "
                               "to see both.")  # fmt: skip
        parts = ("graph", "table") if parsed.graph else ("text",) if parsed.text else None
        call = read_call(rest, self._namespace(local_ns), "%jaxpr")
        return jaxpr_of_call(call, depth=parsed.depth, parts=parts or ("text", "graph", "table"))

    @no_var_expand
    @needs_local_scope
    @line_magic
    @magic_arguments()
    @argument("-n", "--number", type=int, help="calls per repeat; chosen if not given")
    @argument("-r", "--repeat", type=int, default=5, help="repeats, whose median counts")
    @_output
    @_help
    @argument("rest", nargs="...", metavar="f(x, y)", help="the call to time")
    @_explains_itself
    def adtime(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Time a call, its jvp, its vjp and its gradient, eager and jitted.

        Every time is also given as a multiple of the function's own. The first call, which
        traces and compiles, is kept apart, and every call is waited for.
        """
        __tracebackhide__ = True
        for name in ("number", "repeat"):
            value = getattr(parsed, name)
            if value is not None and value < 1:
                raise MagicMistake(f"%adtime: --{name} has to be at least 1; it is {value}.")
        call = read_call(rest, self._namespace(local_ns), "%adtime")
        return time_call(call, number=parsed.number, repeat=parsed.repeat)
