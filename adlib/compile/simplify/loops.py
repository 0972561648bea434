"""Loops: work that is the same in every round leaves the body; carries that nobody needs go.

Exact. A loop that runs no round now computes what left its body; that is lost time, not another
result, since no operation can fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adlib.compile.simplify.branches import used_variables
from adlib.compile.simplify.rewriting import Log, Writer, counted, rewrite
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var

_LOOPS = frozenset({"scan", "while"})
# Run when it is their turn: a user's function may fail where the loop would not have called it.
_STAY = frozenset({"optimization_barrier", "pure_callback"})
# Cheaper to make in each round than to read from memory.
_CHEAP = frozenset({"broadcast_in_dim", "iota", "reshape", "squeeze", "convert_element_type"})


def simplify_loops(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Simplify every ``scan`` and ``while`` of a program."""
    if not any(eqn.primitive.name in _LOOPS for eqn in closed.eqns):
        return closed
    used = used_variables(closed.jaxpr)

    def rule(eqn: Eqn, writer: Writer) -> Sequence[Atom] | None:
        if eqn.primitive.name == "scan":
            return _scan(eqn, writer, used)
        return _while(eqn, writer, used)

    return rewrite(closed, rule, log, _LOOPS)


@dataclass(frozen=True)
class _Loop:
    """A scan or a while loop, its body taken apart.

    Attributes:
      consts, carry, xs: (variable in the body, operand) of each input.
      results: what each carry becomes in a round.
      outs: variables of the equation for the final carries.
      ys: (variable in the body, variable of the equation) of what is stacked.
    """

    body: ClosedJaxpr
    consts: list[tuple[Var, Atom]]
    carry: list[tuple[Var, Atom]]
    xs: list[tuple[Var, Atom]]
    results: list[Atom]
    outs: list[Var]
    ys: list[tuple[Atom, Var]]


def _scan(eqn: Eqn, writer: Writer, used: set[Var]) -> Sequence[Atom] | None:
    params = eqn.params
    first = params["num_consts"]
    middle = first + params["num_carry"]
    jaxpr = params["jaxpr"].jaxpr
    pairs = list(zip(jaxpr.invars, eqn.invars, strict=True))
    count = params["num_carry"]
    loop = _Loop(
        params["jaxpr"],
        pairs[:first],
        pairs[first:middle],
        pairs[middle:],
        jaxpr.outvars[:count],
        eqn.outvars[:count],
        list(zip(jaxpr.outvars[count:], eqn.outvars[count:], strict=True)),
    )
    renamed: dict[Var, Atom] = {}
    new = _fixed_carries(_same_slices(loop, writer), renamed)
    new = _without_dead(new, used, set())
    new = _hoisted(_bound_literals(new, writer), writer)
    if new == loop:
        return None
    _note(eqn, loop, new, writer)
    invars = [*_operands(new.consts), *_operands(new.carry), *_operands(new.xs)]
    changed = eqn.replace(
        invars=invars,
        outvars=[*new.outs, *[v for _, v in new.ys]],
        params={
            **params,
            "jaxpr": _body(new),
            "num_consts": len(new.consts),
            "num_carry": len(new.carry),
        },
    )
    if changed.outvars or changed.has_effect:
        writer.keep(changed)
    return [renamed.get(v, v) for v in eqn.outvars]


def _while(eqn: Eqn, writer: Writer, used: set[Var]) -> Sequence[Atom] | None:
    params = eqn.params
    first = params["cond_nconsts"]
    middle = first + params["body_nconsts"]
    test, body = params["cond_jaxpr"], params["body_jaxpr"]
    operands = eqn.invars
    carried = operands[middle:]
    loop = _Loop(
        body,
        list(zip(body.jaxpr.invars[: middle - first], operands[first:middle], strict=True)),
        list(zip(body.jaxpr.invars[middle - first :], carried, strict=True)),
        [],
        body.jaxpr.outvars,
        eqn.outvars,
        [],
    )
    read = used_variables(test.jaxpr)
    test_inputs = list(zip(test.jaxpr.invars, [*operands[:first], *carried], strict=True))
    test_carry = dict(zip(eqn.outvars, test_inputs[first:], strict=True))
    tested = {out for out, (var, _) in test_carry.items() if var in read}
    renamed: dict[Var, Atom] = {}
    new = _fixed_carries(loop, renamed)
    new = _without_dead(new, used, tested)
    new = _hoisted(_bound_literals(new, writer), writer)
    # a carry that never changes is a constant of the test too
    fixed = [test_carry[v] for v in eqn.outvars if v in renamed and v in tested]
    test_consts = [pair for pair in test_inputs[:first] if pair[0] in read] + fixed
    if new.body is loop.body and len(new.carry) == len(loop.carry):
        return None
    _note(eqn, loop, new, writer)
    inputs = [*[var for var, _ in test_consts], *[test_carry[v][0] for v in new.outs]]
    new_test = ClosedJaxpr(
        Jaxpr(test.jaxpr.constvars, inputs, test.jaxpr.outvars, test.jaxpr.eqns), test.consts
    )
    changed = eqn.replace(
        invars=[*_operands(test_consts), *_operands(new.consts), *_operands(new.carry)],
        outvars=new.outs,
        params={
            "cond_jaxpr": new_test,
            "body_jaxpr": _body(new),
            "cond_nconsts": len(test_consts),
            "body_nconsts": len(new.consts),
        },
    )
    writer.keep(changed)
    return [renamed.get(v, v) for v in eqn.outvars]


def _operands(pairs: Sequence[tuple[Var, Atom]]) -> list[Atom]:
    return [operand for _, operand in pairs]


def _body(loop: _Loop) -> ClosedJaxpr:
    old = loop.body
    invars = [var for var, _ in (*loop.consts, *loop.carry, *loop.xs)]
    outvars = [*loop.results, *[v for v, _ in loop.ys]]
    return ClosedJaxpr(Jaxpr(old.jaxpr.constvars, invars, outvars, old.eqns), old.consts)


def _note(eqn: Eqn, before: _Loop, after: _Loop, writer: Writer) -> None:
    words = []
    moved = len(before.body.eqns) - len(after.body.eqns)
    if moved > 0:
        words.append(f"{counted(moved, 'equation')} left its body")
    if len(after.carry) < len(before.carry):
        dropped = len(before.carry) - len(after.carry)
        words.append(f"{counted(dropped, 'carry')} {'was' if dropped == 1 else 'were'} not needed")
    writer.log.note(eqn, f"simplified: {', '.join(words) or 'constants moved into its body'}")


# ------------------------------------------------------------------------ what changes


def _fixed_carries(loop: _Loop, renamed: dict[Var, Atom]) -> _Loop:
    """Carries that every round hands on as they are become constants of the loop."""
    fixed = [result is var for (var, _), result in zip(loop.carry, loop.results, strict=True)]
    if not any(fixed):
        return loop
    kept = [k for k, same in enumerate(fixed) if not same]
    for k, same in enumerate(fixed):
        if same:
            renamed[loop.outs[k]] = loop.carry[k][1]
    return replace(
        loop,
        consts=[*loop.consts, *[p for p, same in zip(loop.carry, fixed, strict=True) if same]],
        carry=[loop.carry[k] for k in kept],
        results=[loop.results[k] for k in kept],
        outs=[loop.outs[k] for k in kept],
    )


def _same_slices(loop: _Loop, writer: Writer) -> _Loop:
    """Inputs whose slices are all the same, since they were broadcast, become constants."""
    xs, consts = [], []
    for var, operand in loop.xs:
        made = writer.made_by(operand, "broadcast_in_dim")
        dims = made.params["broadcast_dimensions"] if made is not None else (0,)
        if made is None or 0 in dims or len(made.invars) > 1:
            xs.append((var, operand))
            continue
        same: Atom = made.invars[0]
        if same.aval.shape != var.aval.shape:
            places = tuple([d - 1 for d in dims])
            params: dict[str, Any] = dict(shape=var.aval.shape, broadcast_dimensions=places)
            (same,) = writer.emit(made.primitive, [same], **params)
        consts.append((var, same))
    return replace(loop, xs=xs, consts=[*loop.consts, *consts]) if consts else loop


def _without_dead(loop: _Loop, used: set[Var], tested: set[Var]) -> _Loop:
    """Only the carries, results and inputs on which something depends that is read."""
    ys = [(v, out) for v, out in loop.ys if out in used]
    live = {v for v, _ in ys if type(v) is Var}
    alive = {k for k, out in enumerate(loop.outs) if out in used or out in tested}
    producer = {v: eqn for eqn in loop.body.eqns for v in eqn.outvars}
    work: list[Var] = [*live]
    effects = [eqn for eqn in loop.body.eqns if eqn.has_effect]
    work += [v for eqn in effects for v in eqn.invars if type(v) is Var]
    places = {var: k for k, (var, _) in enumerate(loop.carry)}
    work += [v for k in alive if type(v := loop.results[k]) is Var]
    seen: set[Var] = set()
    visited: set[int] = set()
    while work:  # each variable and each equation once
        var = work.pop()
        if var in seen:
            continue
        seen.add(var)
        k = places.get(var)
        if k is not None and k not in alive:
            alive.add(k)
            result = loop.results[k]
            if type(result) is Var:
                work.append(result)
        eqn = producer.get(var)
        if eqn is not None and id(eqn) not in visited:
            visited.add(id(eqn))
            work += [v for v in eqn.invars if type(v) is Var]
    kept = sorted(alive)
    eqns = [e for e in loop.body.eqns if id(e) in visited or e.has_effect]
    consts = [p for p in loop.consts if p[0] in seen]
    xs = [p for p in loop.xs if p[0] in seen]
    same = (
        len(kept) == len(loop.carry)
        and len(eqns) == len(loop.body.eqns)
        and len(ys) == len(loop.ys)
        and len(consts) == len(loop.consts)
        and len(xs) == len(loop.xs)
    )
    if same or not (kept or ys):
        return loop
    old = loop.body.jaxpr
    return replace(
        loop,
        body=ClosedJaxpr(Jaxpr(old.constvars, old.invars, old.outvars, eqns), loop.body.consts),
        consts=consts,
        carry=[loop.carry[k] for k in kept],
        xs=xs,
        results=[loop.results[k] for k in kept],
        outs=[loop.outs[k] for k in kept],
        ys=ys,
    )


def _bound_literals(loop: _Loop, writer: Writer) -> _Loop:
    """Constants of the loop that are numbers stand in its body, where rules see them."""
    names: dict[Var, Atom] = {v: a for v, a in loop.consts if type(a) is Literal}
    inner: dict[Var, Eqn] = {}
    for var, operand in loop.consts:  # cheaper to make there than to read
        made = writer.made_by(operand, "broadcast_in_dim")
        if made is not None and type(made.invars[0]) is Literal:
            inner[var] = made.replace(outvars=[var])
    first: dict[Any, Var] = {}
    for var, operand in loop.consts:  # an operand that is passed twice is read once
        if type(operand) is Var and first.setdefault(operand, var) is not var:
            names[var] = first[operand]
            inner.pop(var, None)
    if not names and not inner:
        return loop

    def read(atom: Any) -> Any:
        return names.get(atom, atom) if type(atom) is Var else atom

    eqns = [
        eqn.replace(invars=[read(v) for v in eqn.invars])
        if any(type(v) is Var and v in names for v in eqn.invars)
        else eqn
        for eqn in [*inner.values(), *loop.body.eqns]
    ]
    old = loop.body.jaxpr
    return replace(
        loop,
        body=ClosedJaxpr(Jaxpr(old.constvars, old.invars, old.outvars, eqns), loop.body.consts),
        consts=[p for p in loop.consts if p[0] not in names and p[0] not in inner],
        results=[read(v) for v in loop.results],
        ys=[(read(v), out) for v, out in loop.ys],
    )


def _hoisted(loop: _Loop, writer: Writer) -> _Loop:
    """Equations that depend on the loop's constants alone, written before the loop."""
    body = loop.body
    outside: dict[Var, Atom] = dict(loop.consts)
    known = dict(zip(body.jaxpr.constvars, body.consts, strict=True))
    invariant: list[Eqn] = []
    names = set(outside) | set(known)
    for eqn in body.eqns:
        operands = [v for v in eqn.invars if type(v) is Var]
        plain = not eqn.has_effect and eqn.primitive.name not in _STAY
        if plain and operands and all(v in names for v in operands):
            invariant.append(eqn)
            names.update(eqn.outvars)
    moved = {id(e) for e in invariant if e.primitive.name not in _CHEAP}
    if not moved:
        return loop
    for eqn in invariant:  # cheap ones too, where what moves needs them: dead code otherwise
        _move(eqn, outside, known, writer)
    inside = [e for e in body.eqns if id(e) not in moved]
    read = {v for e in inside for v in e.invars if type(v) is Var}
    read |= {v for v in (*loop.results, *[y for y, _ in loop.ys]) if type(v) is Var}
    new = [(v, outside[v]) for e in invariant if id(e) in moved for v in e.outvars if v in read]
    old = body.jaxpr
    return replace(
        loop,
        body=ClosedJaxpr(Jaxpr(old.constvars, old.invars, old.outvars, inside), body.consts),
        consts=[*loop.consts, *new],
    )


def _move(eqn: Eqn, outside: dict[Var, Atom], known: dict[Var, Any], writer: Writer) -> None:
    """Write an equation of the body before the loop, with variables of its own."""
    operands: list[Atom] = []
    for atom in eqn.invars:
        if type(atom) is not Var:
            operands.append(atom)
            continue
        if atom not in outside:
            const = known[atom]
            if atom.aval.shape:
                var = Var(atom.aval)
                writer.constvars.append(var)
                writer.consts.append(const)
                writer.known[var] = const
                outside[atom] = var
            else:
                outside[atom] = Literal(const)
        operands.append(outside[atom])
    outvars = [Var(v.aval) for v in eqn.outvars]
    writer.keep(eqn.replace(invars=operands, outvars=outvars))
    outside.update(zip(eqn.outvars, outvars, strict=True))
