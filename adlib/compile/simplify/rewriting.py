"""What all passes share: reading a program equation by equation while writing a new one.

A pass keeps the variables of the equations that it keeps, so that variables mean the same
before and after; an equation that is written anew bears the source line of the one it replaces.
Each visit of an equation takes constant time, so that passes take linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from adlib.compile import failures
from adlib.core.array import ArrayImpl
from adlib.core.avals import ShapedArray
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from adlib.core.primitive import Primitive


class Event(NamedTuple):
    """What a pass did to an equation.

    Attributes:
      eqn: the equation that was there before the pass.
      what: in words: ``"removed: nothing reads its result"``.
      into: the equation that stands for it now, where there is one.
    """

    eqn: Eqn
    what: str
    into: Eqn | None = None


class Log:
    """Collects what passes do; ``visits`` counts equations looked at."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.visits = 0

    def note(self, eqn: Eqn, what: str, into: Eqn | None = None) -> None:
        self.events.append(Event(eqn, what, into))


# rule(eqn, writer) -> None to keep the equation, or what stands for each of its results
Rule = Callable[[Eqn, "Writer"], "Sequence[Atom] | None"]


class Writer:
    """A program in the making.

    Attributes:
      eqns: the equations written so far.
      producer: the equation written for each variable, for rules that look back.
    """

    def __init__(self, closed: ClosedJaxpr, log: Log) -> None:
        self.log = log
        self.eqns: list[Eqn] = []
        self.producer: dict[Var, Eqn] = {}
        self.constvars = list(closed.jaxpr.constvars)
        self.consts = list(closed.consts)
        self.known: dict[Var, Any] = dict(zip(self.constvars, self.consts, strict=True))
        self.renamed: dict[Var, Atom] = {}
        self.source: Any = None

    def read(self, atom: Atom) -> Atom:
        """What stands for a variable of the old program."""
        return self.renamed.get(atom, atom) if type(atom) is Var else atom

    def keep(self, eqn: Eqn) -> None:
        """Take over an equation whose operands have been read."""
        self.eqns.append(eqn)
        for var in eqn.outvars:
            self.producer[var] = eqn

    def emit(self, primitive: Primitive, operands: Sequence[Atom], **params: Any) -> list[Var]:
        """Write a new equation, at the source line of the one that is being replaced."""
        avals = primitive.abstract([atom.aval for atom in operands], params)
        outvars = [Var(aval) for aval in avals]
        self.keep(Eqn(primitive, list(operands), outvars, params, self.source))
        return outvars

    def constant(self, value: Any, aval: ShapedArray) -> Atom:
        """An ndarray as an operand: a literal where it is a scalar."""
        array = ArrayImpl(np.asarray(value, aval.dtype), aval)
        if not aval.shape:
            return Literal(array)
        var = Var(aval)
        self.constvars.append(var)
        self.consts.append(array)
        self.known[var] = array
        return var

    def made_by(self, atom: Atom, *names: str) -> Eqn | None:
        """The equation that computes an operand, if its primitive is one of ``names``."""
        eqn = self.producer.get(atom) if type(atom) is Var else None
        return eqn if eqn is not None and eqn.primitive.name in names else None

    def value_of(self, atom: Atom) -> np.ndarray[Any, Any] | None:
        """The ndarray that an operand is known to be, if it is a constant in CPU memory."""
        array = atom.array if type(atom) is Literal else self.known.get(atom)  # type: ignore[arg-type]
        value = getattr(array, "_value", None)
        return value if isinstance(value, (np.ndarray, np.generic)) else None  # type: ignore[return-value]

    def finish(self, jaxpr: Jaxpr) -> ClosedJaxpr:
        outvars = [self.read(atom) for atom in jaxpr.outvars]
        new = Jaxpr(self.constvars, jaxpr.invars, outvars, self.eqns)
        return ClosedJaxpr(new, self.consts)


def rewrite(
    closed: ClosedJaxpr, rule: Rule, log: Log, names: Container[str] | None = None
) -> ClosedJaxpr:
    """Go through a program once; ``rule`` may replace each equation.

    With ``names`` the rule is asked about primitives of these names only.
    """
    eqns = closed.jaxpr.eqns
    if names is not None and not any(eqn.primitive.name in names for eqn in eqns):
        return closed
    writer = Writer(closed, log)
    renamed = writer.renamed
    log.visits += len(eqns)
    for eqn in eqns:
        if renamed and any(v in renamed for v in eqn.invars):  # literals are never renamed
            eqn = eqn.replace(invars=[writer.read(atom) for atom in eqn.invars])
        if names is None or eqn.primitive.name in names:
            writer.source = eqn.source
            try:
                results = rule(eqn, writer)
            except Exception as error:
                failures.at(error, eqn)
                raise
        else:
            results = None
        if results is None:
            writer.keep(eqn)
        else:
            writer.renamed.update(zip(eqn.outvars, results, strict=True))
    return writer.finish(closed.jaxpr)


def counted(number: int, noun: str) -> str:
    """``1 carry``, ``2 carries``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def map_programs(eqn: Eqn, change: Callable[[ClosedJaxpr], ClosedJaxpr]) -> Eqn:
    """The equation with the programs among its parameters changed; itself if none is."""
    params: dict[str, Any] | None = None
    for name in nested_programs(eqn):
        value = eqn.params[name]
        if isinstance(value, ClosedJaxpr):
            new: Any = change(value)
            same = new is value
        else:
            new = tuple([change(item) for item in value])
            same = all(a is b for a, b in zip(new, value, strict=True))
        if not same:
            params = {**(params or eqn.params), name: new}
    return eqn if params is None else eqn.replace(params=params)


# the programs that running an equation runs; derivative rules are not among them
_PROGRAMS = {
    "jit": ("jaxpr",),
    "remat2": ("jaxpr",),
    "scan": ("jaxpr",),
    "while": ("cond_jaxpr", "body_jaxpr"),
    "cond": ("branches",),
}


def nested_programs(eqn: Eqn) -> Iterable[str]:
    """Names of the parameters that hold the programs which the equation runs."""
    return _PROGRAMS.get(eqn.primitive.name, ())


def in_nested(closed: ClosedJaxpr, change: Callable[[ClosedJaxpr], ClosedJaxpr]) -> ClosedJaxpr:
    """The program with all programs inside its equations changed; itself if none is."""
    eqns = [map_programs(e, change) if e.primitive.name in _PROGRAMS else e for e in closed.eqns]
    if all(a is b for a, b in zip(eqns, closed.eqns, strict=True)):
        return closed
    old = closed.jaxpr
    return ClosedJaxpr(Jaxpr(old.constvars, old.invars, old.outvars, eqns), closed.consts)


def same_program(a: ClosedJaxpr, b: ClosedJaxpr) -> bool:
    """Whether a pass left a program as it was."""
    if a is b:
        return True
    x, y = a.jaxpr, b.jaxpr
    return (
        len(x.eqns) == len(y.eqns)
        and all(p is q for p, q in zip(x.eqns, y.eqns, strict=True))
        and all(p is q for p, q in zip(x.outvars, y.outvars, strict=True))
        and len(x.constvars) == len(y.constvars)
        and all(p is q for p, q in zip(x.invars, y.invars, strict=True))
    )
