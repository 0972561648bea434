"""What custom_jvp and custom_vjp calls have in common: all but their derivative rules.

Such a call holds a Python function, which is called as it is wherever nothing transforms it,
or, once it has entered a jaxpr, the function's own jaxpr.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.base import tree
from adlib.control.calls import FlatFunction, call, name_of, staged, values_of
from adlib.control.jit import hoist_tracers
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.primitive import Primitive, define_primitive
from adlib.core.program import program, run
from adlib.core.trace import using
from adlib.interpreters.linearize import Tape
from adlib.interpreters.stage import StageTrace


def define_custom_call(
    name: str, *, jvp: Callable[..., Any], batch: Callable[..., Any]
) -> Primitive:
    """The primitive of calls with a custom derivative.

    Its parameters are ``call_jaxpr`` (a function of flat Arrays, or its jaxpr), ``num_consts``
    (how many leading arguments the function closes over), ``name`` and those of ``jvp``.
    """

    def stage(trace: StageTrace, args: Sequence[Any], **params: Any) -> list[Any]:
        closed = staged(params["call_jaxpr"], [a.aval for a in args])
        closed, hoisted = hoist_tracers(closed)
        count = params["num_consts"] + len(hoisted)
        params = {**params, "call_jaxpr": closed, "num_consts": count}
        return list(trace.emit(primitive, [*hoisted, *args], params))

    primitive = define_primitive(
        name,
        shape=lambda *avals, call_jaxpr, **_: call_jaxpr.out_avals,
        kernel=lambda xp, call_jaxpr, **_: program(call_jaxpr, xp),
        jvp=jvp,
        batch=batch,
        stage=stage,
        partial_eval=_inline_unknown,
        python_impl=_evaluate,
        multiple_results=True,
        first_order=False,
    )
    return primitive


def _evaluate(*args: Any, call_jaxpr: Any, **_: Any) -> list[Any]:
    if isinstance(call_jaxpr, ClosedJaxpr):
        return list(run(call_jaxpr, args))
    return call(call_jaxpr, *args)


def _inline_unknown(tape: Tape, args: Sequence[Any], *, call_jaxpr: Any, **_: Any) -> list[Any]:
    with using(tape):
        return call(call_jaxpr, *args)


class PythonCall(FlatFunction):
    """Calls with the very arguments the user passed where nothing transforms them.

    Undecorated, ``f(2.0)`` computes with a Python float and may return one; so it does here.
    """

    def __init__(self, function: Any, in_tree: Any, original: list[Any]) -> None:
        super().__init__(function, in_tree, name_of(function))
        self.original = original
        self.values: list[Any] = []
        self.raw: tuple[Any] | None = None

    def __call__(self, *flat: Any) -> list[Any]:
        untouched = len(flat) == len(self.values) and all(
            a is b for a, b in zip(flat, self.values, strict=True)
        )
        given = self.original if untouched else flat
        out = self.function(*tree.unflatten(self.in_tree, given))
        self.raw = (out,) if untouched else None
        leaves, self.out_tree = values_of(out, self.what)
        return leaves
