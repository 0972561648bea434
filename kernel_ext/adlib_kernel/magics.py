"""The magics: options in, a public function called, its rich result out.

Each has a line form, which takes a call, and mostly a cell form, which takes names of variables
and differentiates the cell's last expression with respect to them.
"""

from __future__ import annotations

from typing import Any

from IPython.core.magic import magics_class
from IPython.core.magic_arguments import argument

from adlib_kernel import catalogue
from adlib_kernel.actions import exercises
from adlib_kernel.actions.attempts import attempt_of_cell
from adlib_kernel.actions.checks import check_derivatives
from adlib_kernel.actions.device import PLATFORMS, choose_device, device_report
from adlib_kernel.actions.expressions import Call, evaluate, read_product
from adlib_kernel.actions.grad import gradient
from adlib_kernel.actions.jaxpr import jaxpr_of_call, jaxpr_of_problem
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.problems import problem_of_call
from adlib_kernel.actions.products import pull_back, push_forward
from adlib_kernel.actions.timing import time_call
from adlib_kernel.actions.views import shown
from adlib_kernel.magic_base import CALL, NAMES, magic
from adlib_kernel.view_magics import WIDGET, ViewMagics

_GRAD = (
    argument("--check", action="store_true", help="compare with central finite differences"),
    argument("--hessian", action="store_true", help="show the second derivatives too"),
    argument("--graph", action="store_true", help="draw the jaxpr of value and gradient"),
    argument("--flow", action="store_true", help="show every number of both sweeps"),
)
_JAXPR = (
    argument("--graph", action="store_true", help="show the graph only"),
    argument("--text", action="store_true", help="show the text only"),
    argument("--depth", type=int, help="levels of nested jaxprs to draw open; all if not given"),
    WIDGET,
)
_TIMES = (
    argument("-n", "--number", type=int, help="calls per repeat; chosen if not given"),
    argument("-r", "--repeat", type=int, help="repeats, whose median counts; until stable if "
             "not given"),
)  # fmt: skip
_CHECKS = (
    argument("--order", type=int, default=2, help="highest order of derivatives; 2 if not given"),
    argument("--modes", default="fwd,rev", help="fwd, rev or fwd,rev; both if not given"),
)
_HINT = argument("--hint", action="store_true", help="show the next hint instead")
_LIST = argument("--list", action="store_true", help="show the exercises and which are solved")


@magics_class
class AutodiffMagics(ViewMagics):
    """Derivatives, jaxprs, their cost and their checks, without leaving the cell."""

    # --- derivatives ----------------------------------------------------------------------

    @magic("%grad", *_GRAD, CALL)
    def grad(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show the value of a call and its gradient with respect to all arguments of floats."""
        __tracebackhide__ = True
        problem = problem_of_call(self._call(rest, "%grad", local_ns), "%grad")
        return gradient(problem, **_parts_of_gradient(parsed))

    @magic("%%grad", *_GRAD, NAMES)
    def grad_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Differentiate a cell's last expression with respect to variables.

        %%grad x y
        r = x * y
        r.sum()

        shows the value and the gradient with respect to x and y. The cell runs like the body
        of a function: names that it assigns stay inside.
        """
        __tracebackhide__ = True
        problem = self._problem(cell, parsed.names, "%%grad", local_ns)
        return gradient(problem, **_parts_of_gradient(parsed))

    @magic("%jvp", argument("rest", nargs="...", metavar="f(x) @ v", help="Jacobian times vector"))
    def jvp(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show a call's derivative along a direction: %jvp f(x) @ v, the Jacobian times v.

        With several arguments of floats the direction is a tuple: %jvp f(x, y) @ (v, w).
        Without one it is all ones.
        """
        __tracebackhide__ = True
        names = self._namespace(local_ns)
        call, vector, given = read_product(rest, names, "%jvp", left=False)
        problem = problem_of_call(call, "%jvp")
        if not given:
            vectors = [None] * len(problem.names)
        else:
            several = len(problem.names) > 1 and isinstance(vector, (tuple, list))
            vectors = list(vector) if several else [vector]
        return push_forward(problem, vectors, "%jvp")

    @magic("%%jvp", argument("names", nargs="*", metavar="x=v y=w",
                              help="variables, each with its part of the direction"))  # fmt: skip
    def jvp_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Show the derivative of a cell's last expression along a direction.

        %%jvp x=v y=w
        jnp.sin(x) * y

        moves x along v and y along w; a variable without a direction moves along ones. A
        direction is an expression without blanks.
        """
        __tracebackhide__ = True
        split = [word.partition("=") for word in parsed.names]
        problem = self._problem(cell, [name for name, _, _ in split], "%%jvp", local_ns)
        names = self._namespace(local_ns)
        vectors = [evaluate(text, names, "%%jvp") if text else None for _, _, text in split]
        return push_forward(problem, vectors, "%%jvp")

    @magic("%vjp", argument("rest", nargs="...", metavar="w @ f(x)", help="vector times Jacobian"))
    def vjp(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Pull a cotangent back through a call: %vjp w @ f(x), w times the Jacobian.

        Without a cotangent it is all ones.
        """
        __tracebackhide__ = True
        names = self._namespace(local_ns)
        call, vector, given = read_product(rest, names, "%vjp", left=True)
        return pull_back(problem_of_call(call, "%vjp"), vector if given else None, "%vjp")

    @magic("%%vjp", argument("--cotangent", metavar="W", help="the cotangent, an expression "
                              "without blanks; ones if not given"), NAMES)  # fmt: skip
    def vjp_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Pull a cotangent of a cell's last expression back to variables.

        %%vjp --cotangent w x y
        jnp.sin(x) * y
        """
        __tracebackhide__ = True
        problem = self._problem(cell, parsed.names, "%%vjp", local_ns)
        text = parsed.cotangent
        names = self._namespace(local_ns)
        vector = None if text is None else evaluate(text, names, "%%vjp --cotangent")
        return pull_back(problem, vector, "%%vjp")

    # --- programs and their cost ----------------------------------------------------------

    @magic("%jaxpr", *_JAXPR, CALL)
    def jaxpr(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show the jaxpr of a call: its text, its graph and a table of its equations.

        %jaxpr grad(f)(x) shows that of a gradient.
        """
        __tracebackhide__ = True
        parts = _parts(parsed, "%jaxpr")
        call = self._call(rest, "%jaxpr", local_ns)
        return shown(jaxpr_of_call(call, depth=parsed.depth, parts=parts), parsed.widget)

    @magic("%%jaxpr", *_JAXPR, NAMES)
    def jaxpr_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Show the jaxpr of a cell's last expression as a function of variables."""
        __tracebackhide__ = True
        parts = _parts(parsed, "%%jaxpr")
        problem = self._problem(cell, parsed.names, "%%jaxpr", local_ns)
        return shown(jaxpr_of_problem(problem, depth=parsed.depth, parts=parts), parsed.widget)

    @magic("%adtime", *_TIMES, CALL)
    def adtime(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Time a call, its jvp, its vjp, its gradient and its Hessian, eager and jitted.

        Every time is also given as a multiple of the function's own. Tracing and the first call
        are kept apart, and every call is waited for. The result has a plot().
        """
        __tracebackhide__ = True
        _check_counts(parsed, "%adtime")
        call = self._call(rest, "%adtime", local_ns)
        return time_call(call, number=parsed.number, repeat=parsed.repeat)

    @magic("%%adtime", *_TIMES, NAMES)
    def adtime_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Time a cell's last expression as a function of variables, and its derivatives."""
        __tracebackhide__ = True
        _check_counts(parsed, "%%adtime")
        problem = self._problem(cell, parsed.names, "%%adtime", local_ns)
        call = Call(cell.strip().split("\n")[-1], problem.function, problem.values, {})
        return time_call(call, number=parsed.number, repeat=parsed.repeat)

    # --- checks ---------------------------------------------------------------------------

    @magic("%checkgrads", *_CHECKS, CALL)
    def checkgrads(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Compare a call's derivatives with finite differences, in both modes."""
        __tracebackhide__ = True
        problem = problem_of_call(self._call(rest, "%checkgrads", local_ns), "%checkgrads")
        return check_derivatives(problem, order=parsed.order, modes=parsed.modes.split(","))

    @magic("%%checkgrads", *_CHECKS, NAMES)
    def checkgrads_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Compare the derivatives of a cell's last expression with finite differences."""
        __tracebackhide__ = True
        problem = self._problem(cell, parsed.names, "%%checkgrads", local_ns)
        return check_derivatives(problem, order=parsed.order, modes=parsed.modes.split(","))

    @magic("%check", _HINT, _LIST, argument("rest", nargs="...", metavar="NAME answer",
                                      help="the exercise and an expression"))  # fmt: skip
    def check(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Check an answer to an exercise: a function or a value, whatever is asked for."""
        __tracebackhide__ = True
        name, _, answer = rest.strip().partition(" ")
        if parsed.list:
            return exercises.exercise_list([name] if name else None)
        if not name or not (answer.strip() or parsed.hint):
            missing = "the answer is missing" if name else "nothing was given"
            raise MagicMistake(
                "%check wants the name of an exercise and the answer, such as "
                f"%check slope my_slope; {missing}."
            )
        if parsed.hint:
            return exercises.hint(name)
        return exercises.check(name, evaluate(answer, self._namespace(local_ns), "%check"))

    @magic("%%check", _HINT, argument("name", nargs="?", metavar="NAME", help="the exercise"))
    def check_cell(self, parsed: Any, rest: str, cell: str, local_ns: Any = None) -> Any:
        """Run a cell, and check what its last line is or defines as the answer to an exercise.

        %%check slope
        def my_slope(x):
            return 2 * x

        Unlike in the other cell magics, what the cell defines stays.
        """
        __tracebackhide__ = True
        if parsed.name is None:
            raise MagicMistake(
                "%%check wants the name of an exercise, such as %%check slope; nothing was given."
            )
        if parsed.hint:
            return exercises.hint(parsed.name)
        code, place = self._cell(cell, "%%check")
        names = self.shell.user_ns
        attempt = attempt_of_cell(code, names, name=parsed.name, **place)
        return exercises.check(parsed.name, attempt)

    # --- surroundings ---------------------------------------------------------------------

    @magic("%addevice", argument("name", nargs="?", metavar="DEVICE", help="cpu or gpu"))
    def addevice(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show where adlib computes, or choose it; says what is missing for a GPU."""
        return device_report() if parsed.name is None else choose_device(parsed.name)

    @magic("%adlib", argument("name", nargs="?", metavar="NAME", help="the magic to explain"))
    def adlib(self, parsed: Any, rest: str, local_ns: Any = None) -> Any:
        """Show what magics there are, or one of them with examples and options."""
        if parsed.name is None:
            return catalogue.overview()
        return catalogue.page(parsed.name, AutodiffMagics)


# IPython keeps the magics of each class by themselves; these are registered as one.
AutodiffMagics.magics = {
    kind: {**ViewMagics.magics[kind], **AutodiffMagics.magics[kind]} for kind in ("line", "cell")
}


def _parts_of_gradient(parsed: Any) -> dict[str, bool]:
    return {name: getattr(parsed, name) for name in ("check", "hessian", "graph", "flow")}


def _parts(parsed: Any, magic: str) -> tuple[str, ...]:
    if parsed.depth is not None and parsed.depth < 0:
        raise MagicMistake(f"{magic}: --depth has to be at least 0; it is {parsed.depth}.")
    if parsed.graph and parsed.text:
        raise MagicMistake(
            f"{magic}: --graph and --text exclude each other; leave both out to see both."
        )
    if parsed.graph:
        return ("graph", "table")
    return ("text",) if parsed.text else ("text", "graph", "table")


def _check_counts(parsed: Any, magic: str) -> None:
    for name in ("number", "repeat"):
        value = getattr(parsed, name)
        if value is not None and value < 1:
            raise MagicMistake(f"{magic}: --{name} has to be at least 1; it is {value}.")


def words_for(form: str, names: dict[str, Any]) -> list[str]:
    """What can follow a magic beside options: devices, magics, exercises, the user's variables."""
    if form == "%addevice":
        return list(PLATFORMS)
    if form == "%adlib":
        return [entry.name for entry in catalogue.CATALOGUE]
    if form in ("%check", "%%check"):
        return exercises.exercise_names()
    if form.startswith("%%"):
        own = [name for name in names if not name.startswith("_")]
        return sorted(n for n in own if hasattr(names[n], "dtype") or isinstance(
            names[n], (float, complex, list, tuple, dict)))  # fmt: skip
    return []
