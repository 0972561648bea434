"""Matrix products with operands of known structure.

Transposed operands are read as they lie: their permutation goes into the dimension numbers; the
transpose of a product is the product of its operands in the other order. A
product with an identity matrix is its other operand, one with zeros is zeros. The latter two are
exact for finite numbers; where the other operand holds inf or NaN, the product would have mixed
0·inf = NaN into other elements, and sums that start from 0.0 turn -0.0 into 0.0. A number that
scales an operand scales the product instead, where that is no more work: BLAS does it for nothing,
and sees that a matrix is multiplied by its own transpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from adlib.compile import dots
from adlib.compile.simplify.algebra import Found, _becomes, _instead, is_zero, number
from adlib.compile.simplify.identities import is_identity
from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.core.avals import ShapedArray
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Literal, Var
from adlib.core.primitive import registry

Axes = tuple[int, ...]


def simplify_products(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Simplify each ``dot_general`` by what is known of its operands."""
    if not any(eqn.primitive.name == "dot_general" for eqn in closed.eqns):
        return closed
    uses = Counter(v for eqn in closed.eqns for v in eqn.invars if type(v) is Var)
    uses.update(v for v in closed.jaxpr.outvars if type(v) is Var)

    def rule(eqn: Eqn, writer: Writer) -> Found:
        found = _product(eqn, writer) if eqn.primitive.name == "dot_general" else (
            _transposed_result(eqn, writer, uses)
        )  # fmt: skip
        for old, new in zip(eqn.outvars, found or (), strict=False):
            if type(new) is Var:
                uses[new] += uses[old]
        return found

    return rewrite(closed, rule, log, ("dot_general", "transpose"))


def _product(eqn: Eqn, writer: Writer) -> Found:
    """A product as simply as the rules here make it, one after the other."""
    steps = (
        _number, _zero_operand, _identity_operand, _scaled_operands, _unit_contraction,
        _unit_axes, _transposed_operands,
    )  # fmt: skip
    found: Found = None
    while True:
        changed = next(filter(None, (step(eqn, writer) for step in steps)), None)
        if changed is None:
            if found is not None:
                writer.keep(eqn)
            return found
        found, last = changed, writer.eqns[-1] if writer.eqns else None
        if last is None or last.primitive.name != "dot_general" or last.outvars != list(found):
            return found
        eqn = writer.eqns.pop()


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


# Factors whose powers of two lie within this may change places with sums: nothing overflows.
_MODERATE = 2.0**24


def _scaled_operands(eqn: Eqn, writer: Writer) -> Found:
    """(c·x)·y is c·(x·y)."""
    out = eqn.outvars[0].aval
    if out.dtype.kind not in "fc" or any(v.aval.dtype != out.dtype for v in eqn.invars):
        return None
    operands: list[Atom] = list(eqn.invars)
    scale = 1.0
    for side, operand in enumerate(operands):
        found = _scaled(operand, writer)
        if found is not None and out.size <= max(operand.aval.size, _by_blas(eqn)):
            scale *= found[0]
            operands[side] = found[1]
    if operands == list(eqn.invars) or not 1 / _MODERATE <= abs(scale) <= _MODERATE:
        return None
    (product,) = writer.emit(eqn.primitive, operands, **eqn.params)
    why = "a number that scales an operand scales the product"
    if scale == -1.0:
        return _instead(eqn, writer, why, "neg", product)
    factor = writer.constant(scale, ShapedArray((), out.dtype))
    return _instead(eqn, writer, why, "mul", product, factor)


def _scaled(operand: Atom, writer: Writer) -> tuple[float, Atom] | None:
    """An operand as a real number times another array."""
    made = writer.made_by(operand, "mul", "neg")
    if made is None:
        return None
    if made.primitive.name == "neg":
        return -1.0, made.invars[0]
    for x, y in (made.invars, made.invars[::-1]):
        if x.aval.shape or y.aval.shape != operand.aval.shape or type(y) is Literal:
            continue
        value = writer.value_of(x)
        if value is None or complex(value.item()).imag:
            continue
        size = abs(complex(value.item()).real)
        if 1 / _MODERATE <= size <= _MODERATE:
            return float(complex(value.item()).real), y
    return None


def _by_blas(eqn: Eqn) -> int:
    """The size of the product if BLAS computes it, which then scales it for nothing."""
    return 0 if dots.as_loops(eqn) else int(eqn.outvars[0].aval.size)


def _unit_contraction(eqn: Eqn, writer: Writer) -> Found:
    """A sum over axes of size 1 is no sum: the product is an outer one."""
    contract, batch = eqn.params["dimension_numbers"]
    sizes = [eqn.invars[0].aval.shape[d] for d in contract[0]]
    dtypes_ = {v.aval.dtype for v in (*eqn.invars, *eqn.outvars)}
    if not sizes or any(n != 1 for n in sizes) or len(dtypes_) != 1:
        return None
    operands, batches = [], []
    for atom, gone, kept in zip(eqn.invars, contract, batch, strict=True):
        operands += writer.emit(registry["squeeze"], [atom], dimensions=tuple(sorted(gone)))
        batches.append(tuple([d - sum(g < d for g in gone) for d in kept]))
    params = {**eqn.params, "dimension_numbers": (((), ()), tuple(batches))}
    why = "a product that sums over one entry is an outer product"
    return _instead(eqn, writer, why, "dot_general", *operands, **params)


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
    """(x·y)ᵀ is yᵀ·xᵀ, where nothing else reads the product, scaled or not."""
    (product,) = eqn.invars
    if uses[product] != 1:  # type: ignore[index]
        return None
    scaled = _scaled(product, writer)
    if scaled is not None:
        product = scaled[1]
    made = writer.made_by(product, "dot_general")
    if made is None or uses[product] > 1:  # type: ignore[index]
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
    operands = made.invars[::-1]
    if scaled is None:
        return _instead(eqn, writer, why, "dot_general", *operands, **params)
    (new,) = writer.emit(made.primitive, operands, **params)
    factor = writer.constant(scaled[0], ShapedArray((), new.aval.dtype))
    return _instead(eqn, writer, why, "mul", new, factor)


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
