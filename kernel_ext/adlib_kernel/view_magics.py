"""The magics that show the views of ``adlib_widgets``, of a call or of a cell's last expression."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import magics_class
from IPython.core.magic_arguments import argument

from adlib_kernel.actions.expressions import Call
from adlib_kernel.actions.views import (
    KINDS,
    derivation_of_call,
    jacobian_of_call,
    shown,
    view_of_call,
)
from adlib_kernel.magic_base import CALL, NAMES, MagicsBase, magic

WIDGET = argument(
    "--widget", action="store_true", help="show the interactive form, as .explore() gives it"
)
_KIND = argument("--kind", default="grad", help=f"{', '.join(KINDS)}; grad if not given")
_JIT = argument(
    "--jit", action="store_true", help="--kind jit: what the compiler removes, merges and fuses"
)


def _kind(parsed: Any) -> str:
    return "jit" if parsed.jit else str(parsed.kind)


@magics_class
class ViewMagics(MagicsBase):
    """Pictures of programs, of their derivatives and of the numbers in them."""

    def _cell_call(self, cell: str, names: list[str], form: str, local_ns: Any) -> Call:
        problem = self._problem(cell, names, form, local_ns)
        return Call(cell.strip().split("\n")[-1], problem.function, problem.values, {})

    @magic("%derive", _KIND, _JIT, WIDGET, CALL)
    def derive(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show every program between a call's function and its derivative, side by side."""
        __tracebackhide__ = True
        call = self._call(rest, "%derive", local_ns)
        return shown(derivation_of_call(call, _kind(parsed), "%derive"), parsed.widget)

    @magic("%%derive", _KIND, _JIT, WIDGET, NAMES)
    def derive_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Show every program between a cell's last expression and its derivative."""
        __tracebackhide__ = True
        call = self._cell_call(cell, parsed.names, "%%derive", local_ns)
        return shown(derivation_of_call(call, _kind(parsed), "%%derive"), parsed.widget)

    @magic("%jacobian", WIDGET, CALL)
    def jacobian(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show the Jacobian of a call, its sparsity and what it costs by columns and by rows."""
        __tracebackhide__ = True
        call = self._call(rest, "%jacobian", local_ns)
        return shown(jacobian_of_call(call, "%jacobian"), parsed.widget)

    @magic("%%jacobian", WIDGET, NAMES)
    def jacobian_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Show the Jacobian of a cell's last expression with respect to variables."""
        __tracebackhide__ = True
        call = self._cell_call(cell, parsed.names, "%%jacobian", local_ns)
        return shown(jacobian_of_call(call, "%%jacobian"), parsed.widget)

    @magic("%flow", WIDGET, CALL)
    def flow(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Run a call forward and in reverse, and show every number of both sweeps."""
        __tracebackhide__ = True
        call = self._call(rest, "%flow", local_ns)
        return shown(view_of_call("flow", call), parsed.widget)

    @magic("%%flow", WIDGET, NAMES)
    def flow_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Show every number of both sweeps through a cell's last expression."""
        __tracebackhide__ = True
        call = self._cell_call(cell, parsed.names, "%%flow", local_ns)
        return shown(view_of_call("flow", call), parsed.widget)

    @magic("%admem", WIDGET, CALL)
    def admem(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show the memory of differentiating a call in reverse: residuals, peak, checkpoints."""
        __tracebackhide__ = True
        call = self._call(rest, "%admem", local_ns)
        return shown(view_of_call("admem", call), parsed.widget)

    @magic("%%admem", WIDGET, NAMES)
    def admem_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Show the memory of differentiating a cell's last expression in reverse."""
        __tracebackhide__ = True
        call = self._cell_call(cell, parsed.names, "%%admem", local_ns)
        return shown(view_of_call("admem", call), parsed.widget)

    @magic("%whynan", WIDGET, CALL)
    def whynan(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Find the first NaN or infinity in the value of a call and in its derivatives."""
        __tracebackhide__ = True
        call = self._call(rest, "%whynan", local_ns)
        return shown(view_of_call("whynan", call), parsed.widget)

    @magic("%%whynan", WIDGET, NAMES)
    def whynan_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Find the first NaN or infinity in a cell's last expression and its derivatives."""
        __tracebackhide__ = True
        call = self._cell_call(cell, parsed.names, "%%whynan", local_ns)
        return shown(view_of_call("whynan", call), parsed.widget)
