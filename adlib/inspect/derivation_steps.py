"""The programs of a derivation, and what their variables mean in the program before.

Interpreters return programs, not a dictionary of variables. So each is run on a program whose
results include every intermediate value: its results then say which variable stands for which
value, and are cut back to the true ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adlib.base.source import SourceLocation
from adlib.core import ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from adlib.core.jaxpr import dead_code_eliminated
from adlib.core.printer import variable_names
from adlib.core.trace import state
from adlib.interpreters.batch import AxisData, batch_jaxpr
from adlib.interpreters.jvp import jvp_jaxpr
from adlib.interpreters.linearize import partial_eval_jaxpr
from adlib.interpreters.stage import stage
from adlib.interpreters.transpose import transpose_jaxpr
from adlib.ops.constructors import add_any

Meanings = dict[Any, tuple[Any, str]]  # variable: (variable of an earlier program, what of it)
# The mark of an equation, by its identity: the mark, the program it was given in (its position
# among the stages) and the equation there. Marks travel as source locations; each is kept, so
# that its identity stays its own.
Parents = dict[int, tuple[SourceLocation, int, int]]


@dataclass
class Stage:
    """One program of a derivation."""

    title: str
    note: str
    jaxpr: Jaxpr
    meanings: Meanings = field(default_factory=dict)
    upward: bool = False
    kind: str = "primal"  # of the values that have no meaning of their own
    tangents: frozenset[Any] = frozenset()
    consts: Sequence[Any] = ()
    batch_axes: dict[Any, int] = field(default_factory=dict)
    parents: Parents = field(default_factory=dict)
    linear_inputs: int = 0  # the last of the inputs, which are tangents

    def type(self, var: Var) -> str:
        """The variable's type, with its batch axis marked: ``f32[⟨8⟩,3]``."""
        text = var.aval.str_short()
        if var not in self.batch_axes:
            return text
        head, _, rest = text.partition("[")
        sizes = rest.rstrip("]").split(",")
        axis = self.batch_axes[var]
        sizes[axis] = f"⟨{sizes[axis]}⟩"
        return f"{head}[{','.join(sizes)}]"

    def role(self, eqn: Eqn) -> str:
        """What the equation computes."""
        if self.upward:
            return "sum" if eqn.primitive.name == "add_any" else "cotangent"
        linear = self.kind == "tangent" or any(v in self.tangents for v in eqn.outvars)
        return "tangent" if linear else "primal"


def marked(jaxpr: Jaxpr, program: int) -> tuple[Jaxpr, Parents]:
    """The program with a location of its own for each equation, and which belongs to which."""
    parents: Parents = {}
    eqns: list[Eqn] = []
    for position, eqn in enumerate(jaxpr.eqns):
        if eqn.source is None:
            mark = SourceLocation(marked.__code__, 0)
        else:
            mark = SourceLocation(eqn.source._code, eqn.source.line)
        parents[id(mark)] = (mark, program, position)
        eqns.append(eqn.replace(source=mark))
    return Jaxpr(jaxpr.constvars, jaxpr.invars, jaxpr.outvars, eqns), parents


def original_names(jaxpr: Jaxpr) -> dict[Any, str]:
    """Letters for the variables of the original program, read or not."""
    inner = Jaxpr(jaxpr.constvars, jaxpr.invars, [*jaxpr.outvars, *_results(jaxpr)], jaxpr.eqns)
    return dict(variable_names(inner))


def original(closed: ClosedJaxpr) -> Stage:
    return Stage("f", "the program", closed.jaxpr, consts=closed.consts)


def batched(closed: ClosedJaxpr, size: int) -> Stage:
    """The program mapped over axis 0 of all inputs."""
    inside, parents = marked(closed.jaxpr, 0)
    everything = _with_results(ClosedJaxpr(inside, closed.consts), _results(closed.jaxpr))
    count = len(closed.jaxpr.outvars)
    force = [True] * count + [False] * (len(everything.jaxpr.outvars) - count)
    mapped, mask = batch_jaxpr(
        everything, AxisData(None, size), [True] * len(closed.in_avals), force
    )
    inner = mapped.jaxpr
    cut = dead_code_eliminated(
        Jaxpr(inner.constvars, inner.invars, inner.outvars[:count], inner.eqns)
    )
    needed = {id(eqn) for eqn in cut.eqns}
    moved = {
        eqn.outvars[0]: eqn
        for eqn in inner.eqns
        if eqn.primitive.name == "transpose" and id(eqn) not in needed
    }
    meanings: Meanings = {}
    axes: dict[Any, int] = {}
    _mean(meanings, inner.invars, closed.jaxpr.invars, "")
    _mean_constants(meanings, mapped, closed)
    axes.update((var, 0) for var in inner.invars)
    stands = zip(inner.outvars, [*closed.jaxpr.outvars, *_results(closed.jaxpr)], mask, strict=True)
    for var, value, has_axis in list(stands)[count:]:
        axis = 0
        if var in moved:  # only for the result, which has the new axis first
            eqn = moved[var]
            var, axis = eqn.invars[0], eqn.params["permutation"][0]
        _mean(meanings, [var], [value], "")
        if has_axis and isinstance(var, Var):
            axes.setdefault(var, axis)
    note = f"{size} examples at once, on the new axis ⟨{size}⟩"
    return Stage("vmap", note, cut, meanings, consts=mapped.consts, batch_axes=axes,
                 parents=parents)  # fmt: skip


def derivatives(closed: ClosedJaxpr, active: Sequence[bool], kind: str) -> list[Stage]:
    """The programs from ``closed`` to its pushforward, linear part, or gradient."""
    inner, parents = marked(closed.jaxpr, 0)
    pushed, tangent_outs, stage_jvp = _pushforward(ClosedJaxpr(inner, closed.consts), active)
    stage_jvp.parents = parents
    stages = [original(closed), stage_jvp]
    if kind == "jvp":
        return stages
    inner, parents = marked(pushed.jaxpr, 1)
    split = ClosedJaxpr(inner, pushed.consts)
    known, unknown, residuals = _split(closed, split, tangent_outs, active, stage_jvp)
    known.parents = unknown.parents = parents
    stages += [known, unknown]
    if kind == "grad":
        inner, parents = marked(unknown.jaxpr, 3)
        stages.append(_transposed(replace(unknown, jaxpr=inner), residuals))
        stages[-1].parents = parents
    return stages


def _pushforward(
    closed: ClosedJaxpr, active: Sequence[bool]
) -> tuple[ClosedJaxpr, list[Any], Stage]:
    """The jvp, with values beside tangents."""
    inner = closed.jaxpr
    count, inside = len(inner.outvars), _results(inner)
    everything = _with_results(closed, inside)
    pushed, mask = jvp_jaxpr(everything, active, [True] * count + [False] * len(inside))
    outs = pushed.jaxpr.outvars
    primals, tangents = outs[: len(mask)], iter(outs[len(mask) :])
    tangents_of = [next(tangents) if m else None for m in mask]
    meanings: Meanings = {}
    _mean(meanings, pushed.jaxpr.invars[: len(inner.invars)], inner.invars, "")
    _mean_constants(meanings, pushed, closed)
    chosen = [v for v, a in zip(inner.invars, active, strict=True) if a]
    _mean(meanings, pushed.jaxpr.invars[len(inner.invars) :], chosen, "tangent")
    _mean(meanings, primals[count:], inside, "")
    _mean(meanings, tangents_of[count:], inside, "tangent")
    tangent_outs: list[Any] = tangents_of[:count]
    final = Jaxpr(
        pushed.jaxpr.constvars, pushed.jaxpr.invars, [*primals[:count], *tangent_outs],
        pushed.jaxpr.eqns,
    )  # fmt: skip
    final = dead_code_eliminated(final)
    linear: set[Any] = set(final.invars[len(inner.invars) :])
    for eqn in final.eqns:
        if any(v in linear for v in eqn.invars if isinstance(v, Var)):
            linear.update(eqn.outvars)
    note = "values and tangents, side by side"
    shown = Stage("jvp", note, final, meanings, tangents=frozenset(linear), consts=pushed.consts)
    return ClosedJaxpr(final, pushed.consts), tangent_outs, shown


def _split(
    closed: ClosedJaxpr,
    pushed: ClosedJaxpr,
    tangent_outs: Sequence[Any],
    active: Sequence[bool],
    before: Stage,
) -> tuple[Stage, Stage, int]:
    """The part that is known without tangents, and the part that is linear in them."""
    inner = pushed.jaxpr
    inside = _results(inner)
    primal_count, count = len(closed.jaxpr.invars), len(closed.jaxpr.outvars)
    everything = ClosedJaxpr(
        Jaxpr(inner.constvars, inner.invars, [*inner.outvars, *inside], inner.eqns), pushed.consts
    )
    unknown_in = [False] * primal_count + [True] * sum(active)
    force = [False] * count + [True] * len(tangent_outs) + [False] * len(inside)
    split = partial_eval_jaxpr(everything, unknown_in, force)
    left, right = split.known.jaxpr, split.unknown.jaxpr
    known_outs, unknown_outs = iter(left.outvars), iter(right.outvars)
    stands = [next(unknown_outs if u else known_outs) for u in split.out_unknown]
    residuals = list(known_outs)  # what is left of the known results

    names: Meanings = dict(before.meanings)
    _mean(names, left.invars, inner.invars[:primal_count], "")
    _mean_constants(names, split.known, pushed)
    _mean_constants(names, split.unknown, pushed)
    _mean(names, right.invars[split.residuals :], inner.invars[primal_count:], "")
    _mean(names, stands[count + len(tangent_outs) :], inside, "")
    _mean(names, right.invars[: split.residuals], residuals, "")

    linear = dead_code_eliminated(
        Jaxpr(right.constvars, right.invars, stands[count : count + len(tangent_outs)], right.eqns)
    )
    read = {v for eqn in linear.eqns for v in eqn.invars if isinstance(v, Var)}
    read.update(v for v in linear.outvars if isinstance(v, Var))
    pairs = zip(right.invars[: split.residuals], residuals, strict=True)
    kept = [(var, value) for var, value in pairs if var in read]
    linear.invars = [*[var for var, _ in kept], *right.invars[split.residuals :]]
    shown = list(dict.fromkeys([*stands[:count], *[value for _, value in kept]]))
    primal = dead_code_eliminated(Jaxpr(left.constvars, left.invars, shown, left.eqns))
    known = Stage("known", "runs now, keeps residuals", primal, names, consts=split.known.consts)
    unknown = Stage("unknown", "linear in the tangents", linear, names, kind="tangent",
                    consts=split.unknown.consts, linear_inputs=sum(active))  # fmt: skip
    return known, unknown, len(kept)


def _transposed(linear: Stage, residuals: int) -> Stage:
    """The linear program backwards.

    To each intermediate value an input of its own is added; the cotangent of that input is
    the cotangent of the value, and the additions leave no trace in the transposed program.
    """
    inner = linear.jaxpr
    places = [v for eqn in inner.eqns for v in eqn.outvars if v.aval.dtype.kind in "fc"]
    count = len(inner.invars)
    consts = inner.constvars

    avals = [v.aval for v in [*consts, *inner.invars, *places]]
    tapped = stage(lambda *values: _run_tapped(inner, values, places), avals)
    known = len(consts) + residuals
    flags = [False] * known + [True] * (count - residuals + len(places))
    back, mask = transpose_jaxpr(tapped, flags, [True] * len(inner.outvars))
    found = iter(back.jaxpr.outvars)
    linear_inputs = [*inner.invars[residuals:], *places]
    cotangents = [next(found) if m else None for m in mask]
    # one cotangent may belong to several values: it goes by the one that the program names
    pairs = list(zip(cotangents, linear_inputs, strict=True))
    pairs.sort(key=lambda pair: not _is_original(pair[1], linear.meanings))
    meanings: Meanings = dict(linear.meanings)
    _mean_constants(meanings, back, ClosedJaxpr(inner, list(linear.consts)))
    given = back.jaxpr.invars
    _mean(meanings, given[:known], [*consts, *inner.invars[:residuals]], "")
    _mean(meanings, given[known:], inner.outvars, "cotangent")
    _mean(meanings, [c for c, _ in pairs], [v for _, v in pairs], "cotangent")
    outs = [c for c in cotangents[: count - residuals] if c is not None]
    cut = Jaxpr(back.jaxpr.constvars, given, outs, back.jaxpr.eqns)
    return Stage("transpose", "cotangents, last to first", dead_code_eliminated(cut), meanings,
                 upward=True, consts=back.consts)  # fmt: skip


def _is_original(var: Any, meanings: Meanings) -> bool:
    """Whether a variable stands for the tangent of a value of the original program."""
    mark = ""
    while var in meanings and mark != "tangent":
        var, mark = meanings[var]
    return mark == "tangent"


def _run_tapped(jaxpr: Jaxpr, values: Sequence[Any], places: Sequence[Any]) -> list[Any]:
    starts = [*jaxpr.constvars, *jaxpr.invars]
    env = dict(zip(starts, values[: len(starts)], strict=True))
    taps = dict(zip(places, values[len(starts) :], strict=True))
    trace: Any = state.trace
    for eqn in jaxpr.eqns:
        trace.location = eqn.source
        operands = [a.array if isinstance(a, Literal) else env[a] for a in eqn.invars]
        out = eqn.primitive.bind(*operands, **eqn.params)
        outs = out if eqn.primitive.multiple_results else [out]
        for var, value in zip(eqn.outvars, outs, strict=True):
            env[var] = add_any(value, taps[var]) if var in taps else value
    trace.location = None
    return [a.array if isinstance(a, Literal) else env[a] for a in jaxpr.outvars]


# ----------------------------------------------------------------------------- helpers


def _results(jaxpr: Jaxpr) -> list[Var]:
    return [v for eqn in jaxpr.eqns for v in eqn.outvars]


def _with_results(closed: ClosedJaxpr, more: Sequence[Any]) -> ClosedJaxpr:
    inner = closed.jaxpr
    return ClosedJaxpr(
        Jaxpr(inner.constvars, inner.invars, [*inner.outvars, *more], inner.eqns), closed.consts
    )


def _mean_constants(meanings: Meanings, found: ClosedJaxpr, meant: ClosedJaxpr) -> None:
    """A constant is the one of the program before that has the same value."""
    before = {id(c): v for v, c in zip(meant.jaxpr.constvars, meant.consts, strict=True)}
    for var, const in zip(found.jaxpr.constvars, found.consts, strict=True):
        if id(const) in before and var is not before[id(const)]:
            meanings.setdefault(var, (before[id(const)], ""))


def _mean(meanings: Meanings, found: Sequence[Any], meant: Sequence[Any], what: str) -> None:
    """Note what variables stand for; the first meaning of a variable stays."""
    for var, value in zip(found, meant, strict=True):
        if isinstance(var, Var) and isinstance(value, Var) and var is not value:
            meanings.setdefault(var, (value, what))
