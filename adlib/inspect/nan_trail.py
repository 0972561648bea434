"""The way of a NaN or an infinity: which values and derivatives are bad, equation by equation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adlib.core import Literal, Var, backend, dtypes
from adlib.inspect.evaluation import Execution
from adlib.inspect.rule_texts import result_text
from adlib.inspect.summaries import ArraySummary, summarize, to_numpy
from adlib.inspect.texts import literal_text

_MOST_ROWS = 60
_PICTURE_ROWS, _PICTURE_COLUMNS = 12, 24


@dataclass(frozen=True, slots=True)
class Picture:
    """Where in an array the bad entries are: a grid of blocks of entries.

    Attributes:
      shape: of the array; its axes but the last are laid out one after the other, as rows.
      rows: for each block the mean of its entries; ``nan`` where one of them is NaN, else the
        infinity that one of them is.
    """

    shape: tuple[int, ...]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class TrailValue:
    """A value, tangent or cotangent on the way.

    Attributes:
      status: ``good``, ``nan`` or ``inf``.
      summary, picture: statistics, and where the bad entries are; no picture of one number.
    """

    status: str
    summary: ArraySummary
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class TrailRow:
    """An input or an equation on the way from the first bad number to the output.

    Attributes:
      id: ``log_0``; of inputs ``in_0``, ``in_1``, …
      name: of its result.
      text: the equation, ``c = log b``; of inputs ``a = x``, the letter and what the
        function calls them.
      source, code: the user's line, and its text.
      primal, tangent, cotangent: of its result; None where there is none.
      reads: ids of the inputs and equations that it reads.
      output: whether its result is one of the function's.
    """

    id: str
    name: str
    text: str
    source: str
    code: str
    primal: TrailValue
    tangent: TrailValue | None
    cotangent: TrailValue | None
    reads: tuple[str, ...]
    output: bool


def picture_of(array: Any) -> Picture | None:
    """The grid of an Array's entries; None of a single number, and of what is no number.

    >>> import adlib.numpy as jnp
    >>> picture_of(jnp.array([1.0, float("nan"), 3.0])).rows
    ((1.0, nan, 3.0),)
    """
    if not dtypes.is_inexact(array.aval.dtype):
        return None
    value = array._value
    if value.size < 2:
        return None
    if value.size <= _PICTURE_ROWS * _PICTURE_COLUMNS:
        value = to_numpy(array)
    with np.errstate(all="ignore"):
        plain = abs(value) if value.dtype.kind == "c" else value.astype(np.float64)
    grid = plain.reshape(-1, plain.shape[-1]) if plain.ndim else plain.reshape(1, 1)
    rows = _blocks(grid.shape[0], _PICTURE_ROWS)
    columns = _blocks(grid.shape[1], _PICTURE_COLUMNS)
    blocks = [[grid[top:bottom, left:right] for left, right in columns] for top, bottom in rows]
    if isinstance(value, np.ndarray):
        cells = tuple(tuple(map(_cell, row)) for row in blocks)
    else:
        cells = _cells_there(blocks, backend.of_array(value).xp)
    return Picture(tuple(array.aval.shape), cells)


def _blocks(count: int, most: int) -> list[tuple[int, int]]:
    ends = np.linspace(0, count, min(count, most) + 1).round().astype(int).tolist()
    return list(zip(ends[:-1], ends[1:], strict=True))


def _cell(block: np.ndarray[Any, Any]) -> float:
    if np.isnan(block).any():
        return float("nan")
    infinite = block[np.isinf(block)]
    if infinite.size:
        return float(infinite[0])
    with np.errstate(over="ignore"):
        return float(f"{block.mean():.4g}")


def _cells_there(blocks: Any, xp: Any) -> tuple[tuple[float, ...], ...]:
    """``_cell`` of blocks on a GPU, from which only the cells come back, all at once."""

    def cell(block: Any) -> Any:
        entries = block.ravel()
        infinite = xp.isinf(entries)
        good = xp.where(infinite.any(), entries[xp.argmax(infinite)], entries.mean())
        return xp.where(xp.isnan(entries).any(), np.nan, good)

    found = xp.stack([xp.stack([cell(block) for block in row]) for row in blocks])
    return tuple(tuple(float(f"{entry:.4g}") for entry in row) for row in found.get().tolist())


def status_of(array: Any) -> str:
    """``nan`` or ``inf`` where an array holds one, else ``good``."""
    if not dtypes.is_inexact(array.aval.dtype):
        return "good"
    value = array._value
    xp = backend.of_array(value).xp
    if xp.isnan(value).any():
        return "nan"
    return "inf" if xp.isinf(value).any() else "good"


def trail_rows(
    done: Execution, names: dict[Var, str], ids: Sequence[str], roots: Sequence[str]
) -> tuple[TrailRow, ...]:
    """The rows of a run that has a bad number.

    On the way are all equations with a bad value, tangent or cotangent, what they read and
    what reads them, and the outputs. Of more than 60 the first and the last are given.

    Args:
      done: the run, with whatever derivatives there are.
      names, ids: of variables and equations.
      roots: ids that have to be there.
    """
    jaxpr = done.program.closed.jaxpr
    made: dict[Any, str] = {var: f"in_{i}" for i, var in enumerate(jaxpr.invars)}
    for name, step in zip(ids, done.steps, strict=True):
        made.update((var, name) for var in step.eqn.outvars)
    outputs = {made[v] for v in jaxpr.outvars if isinstance(v, Var) and v in made}
    reads = {
        name: tuple(dict.fromkeys(made[v] for v in step.eqn.invars if v in made))
        for name, step in zip(ids, done.steps, strict=True)
    }
    bad = {made[v] for v in made if any(_is_bad(x) for x in _of(done, v))}
    chosen = bad | outputs | set(roots)
    for name in ids:
        if name in bad:
            chosen.update(reads[name])
        elif any(other in bad for other in reads[name]):
            chosen.add(name)
    rows = [_input_row(done, i, names) for i in range(len(jaxpr.invars)) if f"in_{i}" in chosen]
    wanted = [i for i, name in enumerate(ids) if name in chosen]
    room = _MOST_ROWS - len(rows[:20])
    if len(wanted) > room:
        sure = {ids.index(root) for root in roots if root in reads}
        wanted = sorted({*wanted[: room // 2], *wanted[-room // 2 :], *sure})
    rows = rows[:20]
    for i in wanted:
        rows.append(_equation_row(done, i, names, ids[i], reads[ids[i]], ids[i] in outputs))
    return tuple(rows)


def _of(done: Execution, var: Any) -> list[Any]:
    """A variable's value, tangent and cotangent, those that there are."""
    found = [done.values.get(var), done.tangents.get(var), done.cotangents.get(var)]
    return [value for value in found if value is not None]


def _is_bad(array: Any) -> bool:
    return status_of(array) != "good"


def _value(array: Any) -> TrailValue | None:
    if array is None:
        return None
    return TrailValue(status_of(array), summarize(array), picture_of(array))


def _input_row(done: Execution, i: int, names: dict[Var, str]) -> TrailRow:
    program = done.program
    var = program.closed.jaxpr.invars[i]
    primal = _value(done.values[var])
    assert primal is not None
    output = any(v is var for v in program.closed.jaxpr.outvars)
    return TrailRow(
        f"in_{i}", names.get(var, "_"), f"{names.get(var, '_')} = {program.input_names[i]}", "", "",
        primal,
        _value(done.tangents.get(var)), _value(done.cotangents.get(var)), (), output,
    )  # fmt: skip


def _equation_row(
    done: Execution,
    i: int,
    names: dict[Var, str],
    name: str,
    reads: tuple[str, ...],
    output: bool,
) -> TrailRow:
    step = done.steps[i]
    eqn = step.eqn
    operands = [
        literal_text(atom).removesuffix(".0") if isinstance(atom, Literal) else names.get(atom, "_")
        for atom in eqn.invars
    ]
    # of several results the one that is bad
    var = next((v for v in eqn.outvars if any(_is_bad(x) for x in _of(done, v))), eqn.outvars[0])
    left = ", ".join(names.get(v, "_") for v in eqn.outvars)
    primal = _value(done.values[var])
    assert primal is not None
    return TrailRow(
        name, names.get(var, "_"), f"{left} = {result_text(eqn, operands)}",
        "" if eqn.source is None else eqn.source.summary(),
        "" if eqn.source is None else eqn.source.text(),
        primal, _value(done.tangents.get(var)), _value(done.cotangents.get(var)), reads, output,
    )  # fmt: skip
