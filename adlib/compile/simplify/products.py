"""Matrix products with operands of known structure.

Transposed operands are read as they lie: their permutation goes into the dimension numbers; the
transpose of a product is the product of its operands in the other order. A
product with an identity matrix is its other operand, one with zeros is zeros. The latter two are
exact for finite numbers; where the other operand holds inf or NaN, the product would have mixed
0·inf = NaN into other elements, and sums that start from 0.0 turn -0.0 into 0.0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from adlib.compile.simplify.algebra import Found, _becomes, _instead, is_zero, number
from adlib.compile.simplify.identities import is_identity
from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.core.avals import ShapedArray
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal, Var

Axes = tuple[int, ...]


def simplify_products(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Simplify each ``dot_general`` by what is known of its operands."""
    if not any(eqn.primitive.name == "dot_general" for eqn in closed.eqns):
        return closed
    uses = Counter(v for eqn in closed.eqns for v in eqn.invars if type(v) is Var)
    uses.update(v for v in closed.jaxpr.outvars if type(v) is Var)

    def rule(eqn: Eqn, writer: Writer) -> Found:
        if eqn.primitive.name == "transpose":
            return _transposed_result(eqn, writer, uses)
        steps = (_number, _zero_operand, _identity_operand, _unit_axes, _transposed_operands)
        for step in steps:
            found = step(eqn, writer)
            if found is not None:
                return found
        return None

    return rewrite(closed, rule, log, ("dot_general", "transpose"))


def free_axes(rank: int, contract: Sequence[int], batch: Sequence[int]) -> Axes:
    taken = {*contract, *batch}
    return tuple([d for d in range(rank) if d not in taken])


def _number(eqn: Eqn, writer: Writer) -> Found:
    """The product with a number is the other operand times it."""
    x, y = eqn.invars
    if x.aval.dtype != y.aval.dtype or x.aval.dtype != eqn.outvars[0].aval.dtype:
        return None
    if x.aval.shape and y.aval.shape:
        return None
    return _instead(eqn, writer, "a product with a number is a scaled operand", "mul", x, y)


def _zero_operand(eqn: Eqn, writer: Writer) -> Found:
    out = eqn.outvars[0].aval
    if not any(is_zero(number(atom, writer)) for atom in eqn.invars):
        return None
    zero = writer.constant(0, ShapedArray((), out.dtype))
    if not out.shape:
        writer.log.note(eqn, "removed: a product with zeros is zero")
        return [zero]
    why = "a product with zeros is zeros"
    params: dict[str, Any] = dict(shape=out.shape, broadcast_dimensions=())
    return _instead(eqn, writer, why, "broadcast_in_dim", zero, **params)


def _identity_operand(eqn: Eqn, writer: Writer) -> Found:
    contract, batch = eqn.params["dimension_numbers"]
    if batch[0] or len(contract[0]) != 1:
        return None
    for side in (0, 1):
        if not is_identity(eqn.invars[side], writer):
            continue
        other = eqn.invars[1 - side]
        if other.aval.dtype != eqn.outvars[0].aval.dtype:
            return None
        why = "a product with an identity matrix is the other operand"
        # the contracted axis of the other operand becomes the identity's free axis
        axis = contract[1 - side][0]
        rest = [d for d in range(other.aval.ndim) if d != axis]
        order = tuple([axis, *rest] if side == 0 else [*rest, axis])
        if order == tuple(range(len(order))):
            return _becomes(eqn, writer, other, why)
        return _instead(eqn, writer, why, "transpose", other, permutation=order)
    return None


def _transposed_operands(eqn: Eqn, writer: Writer) -> Found:
    contract, batch = [list(pair) for pair in eqn.params["dimension_numbers"]]
    operands: list[Atom] = list(eqn.invars)
    changed = False
    for side in (0, 1):
        made = writer.made_by(operands[side], "transpose")
        if made is None or type(operands[side]) is Literal:
            continue
        permutation = made.params["permutation"]
        free = free_axes(operands[side].aval.ndim, contract[side], batch[side])
        order = [permutation[d] for d in free]
        if order != sorted(order):
            continue  # the product's own axes would come in another order
        contract[side] = tuple([permutation[d] for d in contract[side]])
        batch[side] = tuple([permutation[d] for d in batch[side]])
        operands[side] = made.invars[0]
        changed = True
    if not changed:
        return None
    params = {**eqn.params, "dimension_numbers": (tuple(contract), tuple(batch))}
    why = "a transposed operand is read as it lies"
    return _instead(eqn, writer, why, "dot_general", *operands, **params)


def _transposed_result(eqn: Eqn, writer: Writer, uses: Counter[Var]) -> Found:
    """(x·y)ᵀ is yᵀ·xᵀ, where nothing else reads the product."""
    (product,) = eqn.invars
    made = writer.made_by(product, "dot_general")
    if made is None or uses[product] != 1:  # type: ignore[index]
        return None
    contract, batch = made.params["dimension_numbers"]
    left = made.invars[0].aval.ndim - len(contract[0])
    right = made.invars[1].aval.ndim - len(contract[1])
    order = (*range(left, left + right), *range(left))
    if batch[0] or eqn.params["permutation"] != order:
        return None
    numbers = ((contract[1], contract[0]), ((), ()))
    params = {**made.params, "dimension_numbers": numbers}
    why = "the transpose of a product is the product of the transposes"
    return _instead(eqn, writer, why, "dot_general", *made.invars[::-1], **params)


def _unit_axes(eqn: Eqn, writer: Writer) -> Found:
    """An operand's free axes of size 1 that a reshape put there: the result is reshaped instead."""
    contract, batch = [list(pair) for pair in eqn.params["dimension_numbers"]]
    for side in (0, 1):
        operand = eqn.invars[side]
        made = writer.made_by(operand, "reshape", "broadcast_in_dim")
        if made is None or type(made.invars[0]) is Literal or len(made.invars) > 1:
            continue
        source = made.invars[0]
        outer = [d for d, n in enumerate(operand.aval.shape) if n != 1]
        inner = [d for d, n in enumerate(source.aval.shape) if n != 1]
        if [operand.aval.shape[d] for d in outer] != [source.aval.shape[d] for d in inner]:
            continue
        if not set((*contract[side], *batch[side])) <= set(outer):
            continue
        if source.aval.ndim >= operand.aval.ndim:
            continue
        place = dict(zip(outer, inner, strict=True))
        contract[side] = tuple([place[d] for d in contract[side]])
        batch[side] = tuple([place[d] for d in batch[side]])
        operands = [source if k == side else v for k, v in enumerate(eqn.invars)]
        params = {**eqn.params, "dimension_numbers": (tuple(contract), tuple(batch))}
        product = writer.emit(eqn.primitive, operands, **params)
        why = "axes of size 1 are put into the result instead"
        shape = eqn.outvars[0].aval.shape
        return _instead(eqn, writer, why, "reshape", *product, new_sizes=shape, dimensions=None)
    return None
