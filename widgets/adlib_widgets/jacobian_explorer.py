"""The Jacobian filled pass by pass: columns by JVP beside rows by VJP, and the paths of entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import traitlets

from adlib.inspect import AssembledJacobian, LeafRecord
from adlib.inspect.summaries import to_json
from adlib_widgets.explorer import Explorer
from adlib_widgets.jacobian_graph import entry_picture
from adlib_widgets.jacobian_view import JacobianView, describe

MOST_WHOLE = 200  # rows and columns that are drawn one by one
MOST_MERGED = 96  # cells each way of larger matrices
MOST_BLOCKS = 24  # that travel to the page at once; others are asked for
MOST_CELLS = 40_000  # in all of them
MOST_READY = 16  # entries whose paths travel to the page at once
MOST_SAVED = 144  # and with a page that has no kernel
_MOST_STEPS = 60  # of a program whose paths are followed unasked


class JacobianExplorer(Explorer):
    """Assembles a Jacobian pass by pass, forward and in reverse, and explains its entries.

    Each trait can be set from Python and from the page.

    Attributes:
      step: how many passes are done, in both modes at the same time; 0 is before the first.
      mode: ``"dense"`` for one-hot seeds, ``"compressed"`` for sums of them, by colours.
      block: ``[]`` for the whole matrix, or ``[result, argument]``: positions of their
        leaves; their names may be given too.
      selected: ``[]``, or the ``[row, column]`` whose paths are shown, counted in the whole.
      paths: the entries whose paths the page has, by ``"row,column"``.
    """

    name = "jacobian"

    step = traitlets.Int().tag(sync=True)
    mode = traitlets.Enum(("dense", "compressed"), "dense").tag(sync=True)
    block: Any = traitlets.List().tag(sync=True)
    selected: Any = traitlets.List().tag(sync=True)
    paths = traitlets.Dict().tag(sync=True)

    def __init__(self, view: JacobianView, **traits: Any) -> None:
        _asked(view)
        self._ready = MOST_READY
        super().__init__(view, **traits)

    @property
    def jacobian(self) -> AssembledJacobian:
        """What is drawn."""
        return _asked(self.view)

    @property
    def steps(self) -> int:
        """How many steps fill the matrix in the present block and mode."""
        block = self.data["blocks"].get(self._key) or self._block(*self.block)
        return steps_of(block, self.mode, self.data["restricted"])

    @property
    def _key(self) -> str:
        return ":".join(map(str, self.block))

    def _traits_of(self, view: JacobianView) -> dict[str, Any]:  # type: ignore[override]
        jacobian = _asked(view)
        chosen = [tuple(self.selected)] if self.selected else []
        return {
            "title": describe(view.record),
            "data": jacobian_data(jacobian),
            "paths": _some_paths(jacobian, self._ready, chosen),
        }

    def show(self, view: JacobianView) -> None:  # type: ignore[override]
        """Draw the Jacobian at other arguments, in place; choices that still apply are kept."""
        self._ready = 0  # sliders want to be fast, and have a kernel to ask
        m, n = _asked(view).shape
        outputs, inputs = len(_asked(view).outputs), len(_asked(view).inputs)
        with self.hold_sync():
            if self.selected and not (self.selected[0] < m and self.selected[1] < n):
                self.selected = []
            if self.block and not (self.block[0] < outputs and self.block[1] < inputs):
                self.block = []
            super().show(view)
            self.step = min(self.step, self.steps)

    # ------------------------------------------------------------------- requests

    def requests(self) -> dict[str, Callable[..., Any]]:
        return {"paths": self._paths, "block": self._block}

    def _paths(self, row: int, column: int) -> dict[str, Any]:
        return entry_picture(self.jacobian.paths(int(row), int(column)))

    def _block(self, output: int, input: int) -> dict[str, Any]:
        return block_data(self.jacobian, int(output), int(input))

    def to_html(self) -> str:
        """The view as one page; a small matrix brings the paths of all its entries along."""
        chosen = [tuple(self.selected)] if self.selected else []
        self.paths = {**self.paths, **_some_paths(self.jacobian, MOST_SAVED, chosen)}
        return super().to_html()

    # ----------------------------------------------------------------- validation

    @traitlets.validate("step")
    def _valid_step(self, proposal: Any) -> int:
        step = int(proposal["value"])
        if not 0 <= step <= self.steps:
            raise traitlets.TraitError(
                f"step must be from 0 (nothing is filled in) to {self.steps} (all is, in "
                f"{self.mode} mode); it was given {step}."
            )
        return step

    @traitlets.observe("mode", "block")
    def _clip(self, _change: Any) -> None:
        if "blocks" in self.data:
            self.step = min(self.step, self.steps)

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: Any) -> list[int]:
        chosen = list(proposal["value"])
        m, n = self.jacobian.shape
        inside = len(chosen) == 2 and all(
            isinstance(k, int) and 0 <= k < size for k, size in zip(chosen, (m, n), strict=True)
        )
        if chosen and not inside:
            raise traitlets.TraitError(
                f"selected must be [] or [row, column] with a row from 0 to {m - 1} and a column "
                f"from 0 to {n - 1}; it was given {chosen}."
            )
        return chosen

    @traitlets.validate("block")
    def _valid_block(self, proposal: Any) -> list[int]:
        given = list(proposal["value"])
        sides = (self.jacobian.outputs, self.jacobian.inputs)
        if not given:
            return given
        if len(given) == 2:
            chosen = [_position(leaves, k) for leaves, k in zip(sides, given, strict=True)]
            if None not in chosen:
                return chosen  # type: ignore[return-value]
        names = [", ".join(leaf.name for leaf in leaves) for leaves in sides]
        raise traitlets.TraitError(
            f"block must be [] or [result, argument], by position or by name; results: {names[0]}; "
            f"arguments: {names[1]}. It was given {given}."
        )


def _asked(view: Any) -> AssembledJacobian:
    jacobian: AssembledJacobian | None = view.jacobian
    if jacobian is None:
        raise ValueError(
            "explore() needs the function, to follow the paths of its entries; this view has a "
            "record only. Repair: make the view with show_jacobian(f)(*args)."
        )
    return jacobian


def _position(leaves: Sequence[LeafRecord], given: Any) -> int | None:
    """The position of a leaf that is given by position or by name."""
    for k, leaf in enumerate(leaves):
        if given == k or given == leaf.name:
            return k
    return None


# ------------------------------------------------------------------------------ data


def jacobian_data(jacobian: AssembledJacobian) -> dict[str, Any]:
    """What the page draws: leaves, costs, and blocks by ``"result:argument"``.

    The key of the whole matrix is empty.
    """
    whole = block_data(jacobian)
    blocks = {"": whole}
    pairs = [
        (o, i)
        for o, output in enumerate(jacobian.outputs)
        for i, input in enumerate(jacobian.inputs)
        if output.size and input.size
    ]
    budget = MOST_CELLS - len(whole["v"])
    if 1 < len(pairs) <= MOST_BLOCKS:
        for output, input in pairs:
            found = block_data(jacobian, output, input)
            budget -= len(found["v"])
            if budget < 0:
                break
            blocks[f"{output}:{input}"] = found
    costs = jacobian.costs
    return {
        "shape": list(jacobian.shape),
        "function": getattr(jacobian.function, "__name__", "f"),
        "restricted": jacobian.restricted,
        "outputs": [_leaf_data(leaf) for leaf in jacobian.outputs],
        "inputs": [_leaf_data(leaf) for leaf in jacobian.inputs],
        "costs": {
            "function": costs.function,
            "jvp": None if jacobian.restricted == "rev" else costs.jvp,
            "vjp": None if jacobian.restricted == "fwd" else costs.vjp,
            "complete": costs.complete,
        },
        "blocks": blocks,
    }


def block_data(
    jacobian: AssembledJacobian, output: int | None = None, input: int | None = None
) -> dict[str, Any]:
    """One block as parallel arrays: places ``i``, ``j``, values ``v``, and its colourings.

    Of a matrix with more than ``MOST_WHOLE`` rows or columns neighbours are merged into at most
    ``MOST_MERGED`` cells each way; a cell has its largest entry, which stands at ``row`` and
    ``column``, and ``count`` entries. Where reverse mode computes other numbers than forward
    mode, these are there as ``reverse``.
    """
    if output is None or input is None:
        i, j, positions = jacobian.rows, jacobian.columns, np.arange(len(jacobian.values))
        (m, n), corner = jacobian.shape, [0, 0]
        outputs, inputs = jacobian.outputs, jacobian.inputs
        columns, rows = jacobian.column_colours, jacobian.row_colours
    else:
        i, j, positions = jacobian.block(output, input)
        outputs, inputs = (jacobian.outputs[output],), (jacobian.inputs[input],)
        m, n = outputs[0].size, inputs[0].size
        corner = [outputs[0].start, inputs[0].start]
        columns, rows = jacobian.block_colours(output, input)
    v, by_reverse = (values[positions] for values in jacobian.by_mode)
    groups = [int(side.max(initial=-1)) + 1 for side in (columns, rows)]
    data: dict[str, Any] = {"shape": [m, n], "corner": corner, "entries": len(v), "groups": groups}
    bundle = [1 if size <= MOST_WHOLE else -(-size // MOST_MERGED) for size in (m, n)]
    data["bundle"] = bundle
    data["picture"] = [-(-m // bundle[0]), -(-n // bundle[1])]
    data["whole"] = bundle == [1, 1]
    data["zeros"] = int((v == 0).sum())
    data["outputs"] = [_leaf_data(leaf, corner[0]) for leaf in outputs]
    data["inputs"] = [_leaf_data(leaf, corner[1]) for leaf in inputs]
    largest, count = _cells(i, j, v, bundle, data["picture"])
    shortest = partial(_shortest, jacobian.dtype)
    data["v"] = [shortest(number) for number in v[largest].tolist()]
    if not np.array_equal(v, by_reverse, equal_nan=True):
        data["reverse"] = [shortest(number) for number in by_reverse[largest].tolist()]
    row, column = i[largest], j[largest]
    full = data["whole"] and len(v) == m * n  # then the places are row after row
    data["row"], data["column"] = (None, None) if full else (row.tolist(), column.tolist())
    if data["whole"]:
        data["columnColours"], data["rowColours"] = columns.tolist(), rows.tolist()
        data["rows"] = [name for leaf in outputs for name in leaf.number_names()]
        data["columns"] = [name for leaf in inputs for name in leaf.number_names()]
    else:
        data["count"] = count.tolist()
        data["cellColours"] = [columns[column].tolist(), rows[row].tolist()]
    return to_json(data)  # type: ignore[no-any-return]


def steps_of(block: dict[str, Any], mode: str, restricted: str = "") -> int:
    """How many steps the slower of both modes takes to fill a block.

    >>> steps_of({"picture": [3, 5], "groups": [2, 1]}, "dense")
    5
    """
    rows, columns = block["picture"]
    forward, reverse = block["groups"] if mode == "compressed" else (columns, rows)
    return int({"fwd": forward, "rev": reverse}.get(restricted, max(forward, reverse)))


def _cells(i: Any, j: Any, v: Any, bundle: list[int], picture: list[int]) -> tuple[Any, Any]:
    """The entries that are drawn, of each cell the largest, by cell; and how many each has."""
    cell = (i // bundle[0]).astype(np.int64) * picture[1] + j // bundle[1]
    size = np.where(np.isnan(v), np.inf, np.abs(v))
    order = np.argsort(-size, kind="stable")[::-1]
    largest = np.full(picture[0] * picture[1], -1)
    largest[cell[order]] = order  # the last that is written is the largest, of equals the first
    count = np.bincount(cell, minlength=len(largest))
    return largest[largest >= 0], count[count > 0]


def _leaf_data(leaf: LeafRecord, corner: int = 0) -> dict[str, Any]:
    return {
        "name": leaf.name,
        "type": leaf.type,
        "shape": list(leaf.shape),
        "start": leaf.start - corner,
        "size": leaf.size,
    }


def _shortest(dtype: Any, number: float) -> float:
    """The number with the fewest digits that its own precision tells apart."""
    return float(str(dtype.type(number))) if dtype.itemsize < 8 else number


def _some_paths(
    jacobian: AssembledJacobian, most: int, chosen: list[tuple[int, ...]]
) -> dict[str, Any]:
    """The paths of all entries of a small matrix, else of the chosen ones only."""
    small = len(jacobian.rows) <= most and len(jacobian.program.closed.eqns) <= _MOST_STEPS
    places: list[tuple[int, ...]] = []
    if small:
        places = list(zip(jacobian.rows.tolist(), jacobian.columns.tolist(), strict=True))
    wanted = dict.fromkeys([*chosen, *places])
    return {f"{i},{j}": entry_picture(jacobian.paths(i, j)) for i, j in wanted}
