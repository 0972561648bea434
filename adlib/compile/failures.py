"""What to say when the compiler fails: at which equation, and how to report it.

The stages of the compiler call ``at`` with the equation in hand when an error passes through
them; the innermost one, which is nearest to the mistake, stays. The call then runs on the
reference executor, so that no result is lost.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

from adlib.base.source import describe
from adlib.core.jaxpr import ClosedJaxpr, Eqn
from adlib.core.program import Program
from adlib.core.program import program as reference


def at(error: Exception, eqn: Eqn) -> None:
    """Note the equation at which an error happened, unless one is noted already."""
    if equation_of(error) is None:
        with contextlib.suppress(AttributeError):  # an exception that takes no attributes
            error.equation = eqn  # type: ignore[attr-defined]


def equation_of(error: BaseException) -> Eqn | None:
    """The equation at which the compiler failed, where that is known."""
    eqn = getattr(error, "equation", None)
    return eqn if isinstance(eqn, Eqn) else None


def described(eqn: Eqn) -> str:
    """An equation by its types and the user's line: ``sin f32[3] -> f32[3] at In[2]:1: …``."""
    operands = " ".join([atom.aval.str_short() for atom in eqn.invars])
    results = " ".join([var.aval.str_short() for var in eqn.outvars])
    return " ".join([eqn.primitive.name, operands, "->", results, describe(eqn.source)]).strip()


def warn(closed: ClosedJaxpr, error: Exception) -> None:
    """Say that a program runs on the reference executor, and why."""
    eqn = equation_of(error)
    if eqn is not None:
        where = f"at the equation\n  {described(eqn)}\n"
    else:
        first = [f"  {described(e)}\n" for e in closed.eqns[:3]]
        where = f"on a program that begins\n{''.join(first) or '  without equations'}"
    warnings.warn(
        f"adlib's compiler failed ({type(error).__name__}: {error}) {where}"
        f"The program, {len(closed.eqns)} equations in all, runs on the reference executor "
        "instead, with the same results. Please report it with the program's jaxpr "
        "(jax.make_jaxpr(f)(*args)) and this message; "
        'adlib.config.update("jit_backend", "python") avoids the compiler.',
        RuntimeWarning,
        stacklevel=2,
    )


def or_reference(closed: ClosedJaxpr, xp: Any, compiled: Callable[[], Program]) -> Program:
    """What ``compiled`` gives; where it fails, the reference executor, with one warning."""
    try:
        return compiled()
    except Exception as error:
        function = reference(closed, xp)  # a mistake of the program itself is raised here
        warn(closed, error)
        return function
