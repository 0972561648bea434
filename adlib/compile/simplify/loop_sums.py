"""Sums of products that a ``scan`` adds up become one product after it.

The gradient of a recurrent network adds an outer product to the weights' cotangent in every round.
Its factors are kept instead, round by round, and one matrix product multiplies and adds them all:
the same operations, at the speed of a matrix product. The terms are added in another order, as
they are between any two implementations of a matrix product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from adlib.compile.simplify.rewriting import Log, Writer, counted, rewrite
from adlib.core.avals import same_type
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from adlib.core.primitive import registry


def move_sums_out(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Find carries that only add up products, in every ``scan``."""
    return rewrite(closed, _scan, log, ("scan",))


class _Sum(NamedTuple):
    """A carry to which each round adds a product.

    Attributes:
      place: the carry's number.
      product, addition: the equations that make the term and add it.
    """

    place: int
    product: Eqn
    addition: Eqn


def _scan(eqn: Eqn, writer: Writer) -> Sequence[Atom] | None:
    sums = _sums(eqn)
    if not sums or eqn.params["length"] < 2:
        return None
    params = eqn.params
    body = params["jaxpr"]
    first, count = params["num_consts"], params["num_carry"]
    jaxpr = body.jaxpr
    gone = {s.place for s in sums}
    dropped = {id(e) for s in sums for e in (s.product, s.addition)}
    stacked = dict(zip(jaxpr.invars[first + count :], eqn.invars[first + count :], strict=True))
    ys = {v: k for k, v in enumerate(jaxpr.outvars[count:]) if type(v) is Var}
    new_ys: list[Var] = []
    for term in sums:
        for factor in term.product.invars:
            if factor not in stacked and factor not in ys and factor not in new_ys:
                new_ys.append(factor)  # type: ignore[arg-type]
    kept = [k for k in range(count) if k not in gone]
    invars = [v for k, v in enumerate(jaxpr.invars) if k - first not in gone]
    outvars = [*[jaxpr.outvars[k] for k in kept], *jaxpr.outvars[count:], *new_ys]
    eqns = [e for e in jaxpr.eqns if id(e) not in dropped]
    new_outs = [Var(v.aval.update(shape=(params["length"], *v.aval.shape))) for v in new_ys]
    results = [*[eqn.outvars[k] for k in kept], *eqn.outvars[count:], *new_outs]
    changed = eqn.replace(
        invars=[v for k, v in enumerate(eqn.invars) if k - first not in gone],
        outvars=results,
        params={
            **params,
            "jaxpr": ClosedJaxpr(Jaxpr(jaxpr.constvars, invars, outvars, eqns), body.consts),
            "num_carry": len(kept),
        },
    )
    writer.keep(changed)
    stacked.update({v: eqn.outvars[count + k] for v, k in ys.items() if v not in stacked})
    stacked.update(zip(new_ys, new_outs, strict=True))
    totals: dict[int, Atom] = {}
    for term in sums:
        start = eqn.invars[first + term.place]
        totals[term.place] = _total(term, start, stacked, writer)
    number = counted(len(sums), "sum")
    writer.log.note(eqn, f"simplified: {number} of products became a product after it", changed)
    return [totals.get(k, v) for k, v in enumerate(eqn.outvars)]


def _total(term: _Sum, start: Atom, stacked: dict[Any, Atom], writer: Writer) -> Atom:
    """The start plus the sum of all rounds' products: one more contracted axis."""
    contract, batch = term.product.params["dimension_numbers"]

    def later(axes: Sequence[int]) -> tuple[int, ...]:
        return tuple([d + 1 for d in axes])

    numbers = (
        ((0, *later(contract[0])), (0, *later(contract[1]))),
        (later(batch[0]), later(batch[1])),
    )
    factors = [stacked[v] for v in term.product.invars]
    params = {**term.product.params, "dimension_numbers": numbers}
    (total,) = writer.emit(registry["dot_general"], factors, **params)
    return writer.emit(registry["add_any"], [start, total])[0]


def _sums(eqn: Eqn) -> list[_Sum]:
    first, count = eqn.params["num_consts"], eqn.params["num_carry"]
    jaxpr = eqn.params["jaxpr"].jaxpr
    producer = {v: e for e in jaxpr.eqns for v in e.outvars}
    uses = Counter(v for e in jaxpr.eqns for v in e.invars if type(v) is Var)
    uses.update(v for v in jaxpr.outvars if type(v) is Var)
    fixed = {*jaxpr.invars[:first], *jaxpr.constvars}
    found = []
    for place in range(count):
        carry, result = jaxpr.invars[first + place], jaxpr.outvars[place]
        added = None if type(result) is Literal else producer.get(result)
        if added is None or added.primitive.name not in ("add", "add_any"):
            continue
        others = [v for v in added.invars if v is not carry]
        if len(others) != 1 or type(others[0]) is Literal or uses[carry] != 1:
            continue
        term = others[0]
        product = producer.get(term)
        alone = uses[result] == 1 and uses[term] == 1
        if product is None or product.primitive.name != "dot_general" or not alone:
            continue
        factors = product.invars
        if any(type(v) is Literal or v in fixed for v in factors):
            continue
        if same_type(term.aval, carry.aval) and _pays(product, eqn.params["length"]):
            found.append(_Sum(place, product, added))
    return found


def _pays(product: Eqn, length: int) -> bool:
    """Whether the factors of all rounds are not much more to keep than the sums are to update."""
    kept = sum(v.aval.size for v in product.invars) * length
    return kept <= 2 * length * product.outvars[0].aval.size
