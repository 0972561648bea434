"""Diagonal matrices are computed with as vectors.

Forward mode pushes an identity matrix through a program, so that elementwise operations give
diagonal matrices, n² numbers of which n count. Where a value is known to be an identity matrix
times a vector, the vector is computed instead, and the matrix made from it where it is read. The
product of a diagonal matrix plus outer products (the Jacobian of softmax) with another matrix is
computed from the parts too: n² instead of n³ operations.

Exact for finite numbers, but for such sums, whose terms are added in another order: zeros off the
diagonal may differ in sign, and where a vector holds inf or NaN, 0·inf = NaN appears where the
matrix is made (as it would have before), but not in sums and products along the zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adlib.compile.simplify.algebra import Found
from adlib.compile.simplify.identities import split_evenly
from adlib.compile.simplify.rewriting import Log, Writer, rewrite
from adlib.compile.simplify.structures import (
    Diagonal,
    Known,
    Outer,
    Shape,
    alike,
    along,
    broadcast,
    is_number,
    reshaped,
    times,
    transposed,
)
from adlib.core.jaxpr import Atom, ClosedJaxpr, Eqn, Var
from adlib.core.primitive import registry

MOST_OUTER = 4  # outer products in one sum


def use_diagonals(closed: ClosedJaxpr, log: Log) -> ClosedJaxpr:
    """Follow identity matrices through the program."""
    known: list[Known] = []

    def rule(eqn: Eqn, writer: Writer) -> Found:
        if not known:
            known.append(Known(writer))
        return RULES[eqn.primitive.name](eqn, writer, known[0])

    possible = any(split_evenly(v.aval.shape) for v in closed.jaxpr.constvars) or any(
        eqn.primitive.name == "iota" for eqn in closed.eqns
    )
    return rewrite(closed, rule, log, RULES) if possible else closed


# --------------------------------------------------------------------- elementwise


def _scaled(eqn: Eqn, writer: Writer, known: Known) -> Found:
    """diagonal · x or diagonal / x."""
    name = eqn.primitive.name
    shape = eqn.outvars[0].aval.shape
    for side in (0, 1) if name == "mul" else (0,):
        diagonal = known.of(eqn.invars[side])
        if diagonal is None or eqn.invars[side].aval.shape != shape:
            continue
        other = eqn.invars[1 - side]
        if name == "mul" and _is_canonical(diagonal, other, writer):
            row = writer.producer[other].invars[0]  # type: ignore[index]
            known.found[eqn.outvars[0]] = diagonal._replace(vector=row)
            return None
        factor = along(other, shape, diagonal.right, writer)
        if factor is None:
            factor = along(other, shape, diagonal.left, writer)
        if factor is None:
            both = known.of(other)
            if both is None or both[2:] != diagonal[2:] or name != "mul":
                continue
            factor = known.vector(both)
        if diagonal.vector is None and name == "mul":
            vector = (
                broadcast(factor, (diagonal.size,), (), writer) if is_number(factor) else factor
            )
        else:
            mine, factor = alike(known.vector(diagonal), factor, writer)
            operands = [mine, factor] if side == 0 else [factor, mine]
            (vector,) = writer.emit(registry[name], operands)
        why = f"rewritten: the {name} of a diagonal matrix is that of its diagonal"
        return known.becomes(eqn, diagonal._replace(vector=vector), why)
    _scaled_sum(eqn, writer, known)
    return None


def _is_canonical(diagonal: Diagonal, other: Atom, writer: Writer) -> bool:
    """Whether the product of an identity matrix with this is how we write diagonal matrices."""
    n = diagonal.size
    row = writer.made_by(other, "broadcast_in_dim")
    return (
        diagonal.vector is None
        and (diagonal.left, diagonal.right) == ((0,), (1,))
        and row is not None
        and row.params["shape"] == (n, n)
        and row.params["broadcast_dimensions"] == (1,)
        and row.invars[0].aval.shape == (n,)
    )


def _negated(eqn: Eqn, writer: Writer, known: Known) -> Found:
    diagonal = known.of(eqn.invars[0])
    if diagonal is None:
        return None
    (vector,) = writer.emit(registry["neg"], [known.vector(diagonal)])
    why = "rewritten: -D of a diagonal matrix is that of its diagonal"
    return known.becomes(eqn, diagonal._replace(vector=vector), why)


def _sum_of_two(eqn: Eqn, writer: Writer, known: Known) -> Found:
    shape = eqn.outvars[0].aval.shape
    first, second = (known.of(atom) for atom in eqn.invars)
    same = all(atom.aval.shape == shape for atom in eqn.invars)
    if first is not None and second is not None and same and first[2:] == second[2:]:
        vectors = alike(known.vector(first), known.vector(second), writer)
        (vector,) = writer.emit(eqn.primitive, vectors)
        why = "rewritten: the sum of two diagonal matrices is that of their diagonals"
        return known.becomes(eqn, first._replace(vector=vector), why)
    _sum_with_outer(eqn, writer, known)
    return None


# ---------------------------------------------------- diagonal plus outer products


def _parts(atom: Atom, known: Known) -> tuple[Diagonal, tuple[Outer, ...]] | None:
    if type(atom) is not Var:
        return None
    if atom in known.sums:
        return known.sums[atom]
    diagonal = known.of(atom)
    return None if diagonal is None else (diagonal, ())


def _sum_with_outer(eqn: Eqn, writer: Writer, known: Known) -> None:
    """Note a sum of a known matrix and an outer product; the equation stays."""
    n, *rest = eqn.outvars[0].aval.shape or (0,)
    if rest != [n]:
        return
    minus = eqn.primitive.name == "sub"
    for side in (0,) if minus else (0, 1):
        parts = _parts(eqn.invars[side], known)
        outer = None if parts is None else _outer(eqn.invars[1 - side], n, writer)
        if parts is None or outer is None or len(parts[1]) >= MOST_OUTER:
            continue
        if minus:
            outer = _minus(outer, writer)
        if eqn.invars[side].aval.shape == (n, n):
            known.sums[eqn.outvars[0]] = (parts[0], (*parts[1], outer))
            return


def _outer(atom: Atom, n: int, writer: Writer) -> Outer | None:
    """An operand of shape (n, n), (n, 1) or (1, n) as column·rowᵀ."""
    row = along(atom, (n, n), (1,), writer)
    if row is not None and row.aval.shape:
        return Outer(None, row)
    column = along(atom, (n, n), (0,), writer)
    if column is not None and column.aval.shape:
        return Outer(column, None)
    made = writer.made_by(atom, "mul")
    if made is None or atom.aval.shape != (n, n):
        return None
    for x, y in (made.invars, made.invars[::-1]):
        column, row = along(x, (n, n), (0,), writer), along(y, (n, n), (1,), writer)
        if column is not None and row is not None and column.aval.shape and row.aval.shape:
            return Outer(column, row)
    return None


def _minus(outer: Outer, writer: Writer) -> Outer:
    if outer.row is not None:
        return outer._replace(row=writer.emit(registry["neg"], [outer.row])[0])
    assert outer.column is not None
    return outer._replace(column=writer.emit(registry["neg"], [outer.column])[0])


def _scaled_sum(eqn: Eqn, writer: Writer, known: Known) -> None:
    """Note the product of a known sum with a row, a column or a number."""
    if eqn.primitive.name != "mul":
        return
    shape = eqn.outvars[0].aval.shape
    for side in (0, 1):
        atom, other = eqn.invars[side], eqn.invars[1 - side]
        if type(atom) is not Var or atom not in known.sums or atom.aval.shape != shape:
            continue
        diagonal, outers = known.sums[atom]
        row, column = along(other, shape, (1,), writer), along(other, shape, (0,), writer)
        factor = row if row is not None else column
        if factor is None:
            continue
        if not factor.aval.shape:
            factor = broadcast(factor, (diagonal.size,), (), writer)
        vector = times(diagonal.vector, factor, writer)
        if row is not None:
            outers = tuple([Outer(o.column, times(o.row, factor, writer)) for o in outers])
        else:
            outers = tuple([Outer(times(o.column, factor, writer), o.row) for o in outers])
        known.sums[eqn.outvars[0]] = (diagonal._replace(vector=vector), outers)
        return


# ------------------------------------------------------------------------- shapes


def _moved(eqn: Eqn, writer: Writer, known: Known) -> Found:
    """Axes of size 1 that come and go, reshapes of a group, and transposes."""
    diagonal = known.of(eqn.invars[0])
    shape = eqn.outvars[0].aval.shape
    if diagonal is None or eqn.outvars[0].aval.size != eqn.invars[0].aval.size:
        return None
    if eqn.primitive.name == "transpose":
        places = eqn.params["permutation"]
        left = tuple([places.index(d) for d in diagonal.left])
        right = tuple([places.index(d) for d in diagonal.right])
        if list(left) != sorted(left) or list(right) != sorted(right):
            return None
    else:
        if eqn.params.get("dimensions") is not None and eqn.primitive.name == "reshape":
            return None
        split = split_evenly(shape)
        if split is None or not _separate(diagonal):
            return None
        real = [d for d, n in enumerate(shape) if n != 1]
        left = tuple([d for d in real if d < split])
        right = tuple([d for d in real if d >= split])
    if not _contiguous(left, right):
        return None
    why = "rewritten: the diagonal stays where it is"
    return known.becomes(eqn, diagonal._replace(left=left, right=right), why)


def _separate(diagonal: Diagonal) -> bool:
    return _contiguous(diagonal.left, diagonal.right)


def _contiguous(left: Shape, right: Shape) -> bool:
    """Whether all axes of one group stand before all of the other: a matrix, reshaped."""
    return max(left) < min(right) or max(right) < min(left)


def _reduced(eqn: Eqn, writer: Writer, known: Known) -> Found:
    """The sum along one group of axes of a diagonal matrix is its diagonal."""
    diagonal = known.of(eqn.invars[0])
    if diagonal is None:
        return None
    axes = set(eqn.params["axes"])
    gone = [axes >= set(diagonal.left), axes >= set(diagonal.right)]
    kept = diagonal.right if gone[0] else diagonal.left
    if gone[0] == gone[1] or axes & set(kept):
        return None
    vector = reshaped(known.vector(diagonal), eqn.outvars[0].aval.shape, writer)
    why = "rewritten: the sum of a diagonal matrix along an axis is its diagonal"
    writer.log.note(eqn, why, writer.producer.get(vector))  # type: ignore[arg-type]
    return [vector]


# ----------------------------------------------------------------------- products


def _product(eqn: Eqn, writer: Writer, known: Known) -> Found:
    """The product with a diagonal matrix scales the other operand along some axes."""
    contract, batch = eqn.params["dimension_numbers"]
    out = eqn.outvars[0].aval
    if batch[0] or not contract[0] or any(a.aval.dtype != out.dtype for a in eqn.invars):
        return None
    for side in (0, 1):
        atom = eqn.invars[side]
        diagonal = known.of(atom)
        if diagonal is not None:
            result = _scaled_operand(eqn, side, diagonal, writer)
            if result is not None:
                why = "rewritten: a product with a diagonal matrix scales the rows or columns"
                writer.log.note(eqn, why, writer.producer.get(result))  # type: ignore[arg-type]
                return [result]
        if type(atom) is Var and atom in known.sums and len(contract[0]) == 1:
            result = _product_with_sum(eqn, side, known.sums[atom], writer)
            why = "rewritten: a product with a diagonal matrix plus outer products, by its parts"
            writer.log.note(eqn, why, writer.producer.get(result))  # type: ignore[arg-type]
            return [result]
    return None


def _scaled_operand(eqn: Eqn, side: int, diagonal: Diagonal, writer: Writer) -> Atom | None:
    contract = eqn.params["dimension_numbers"][0]
    pairs = sorted(zip(contract[side], contract[1 - side], strict=True))
    shape = eqn.invars[side].aval.shape
    mine = tuple([d for d, _ in pairs if shape[d] != 1])
    if mine not in (diagonal.left, diagonal.right):
        return None
    axes = tuple([d for d, _ in pairs])
    other_axes = tuple([d for _, d in pairs])
    other = eqn.invars[1 - side]
    rest = tuple([d for d in range(other.aval.ndim) if d not in other_axes])
    order = (*other_axes, *rest) if side == 0 else (*rest, *other_axes)
    moved = transposed(other, order, writer)
    sizes = tuple([shape[d] for d in axes])
    if diagonal.vector is not None:
        first = 0 if side == 0 else len(rest)
        factor = reshaped(diagonal.vector, sizes, writer)
        places = tuple(range(first, first + len(sizes)))
        spread = broadcast(factor, moved.aval.shape, places, writer)
        (moved,) = writer.emit(registry["mul"], [moved, spread])
    return reshaped(moved, eqn.outvars[0].aval.shape, writer)


def _product_with_sum(
    eqn: Eqn, side: int, parts: tuple[Diagonal, tuple[Outer, ...]], writer: Writer
) -> Atom:
    """(D + Σ column·rowᵀ)·A = D·A + Σ column·(rowᵀ·A), and so from the right."""
    diagonal, outers = parts
    contract = eqn.params["dimension_numbers"][0]
    (mine,), (axis,) = contract[side], contract[1 - side]
    other, shape = eqn.invars[1 - side], eqn.outvars[0].aval.shape
    total = _scaled_operand(eqn, side, diagonal, writer)
    assert total is not None
    place = 0 if side == 0 else len(shape) - 1
    rest = tuple([d for d in range(len(shape)) if d != place])
    for outer in outers:
        summed, free = (outer.row, outer.column) if mine == 1 else (outer.column, outer.row)
        if summed is None:
            (inner,) = writer.emit(registry["reduce_sum"], [other], axes=(axis,))
        else:
            numbers: Any = (((0,), (axis,)), ((), ()))
            params = {**eqn.params, "dimension_numbers": numbers}
            (inner,) = writer.emit(eqn.primitive, [summed, other], **params)
        term = broadcast(inner, shape, rest, writer)
        if free is not None:
            spread = broadcast(free, shape, (place,), writer)
            (term,) = writer.emit(registry["mul"], [spread, term])
        (total,) = writer.emit(registry["add"], [total, term])
    return total


Follow = Callable[[Eqn, Writer, Known], Sequence[Atom] | None]
RULES: dict[str, Follow] = {
    "mul": _scaled,
    "div": _scaled,
    "neg": _negated,
    "add_any": _sum_of_two,
    "add": _sum_of_two,
    "sub": _sum_of_two,
    "transpose": _moved,
    "reshape": _moved,
    "squeeze": _moved,
    "broadcast_in_dim": _moved,
    "reduce_sum": _reduced,
    "dot_general": _product,
}
