"""The flow stepper: every number of a run appears in its turn, or is predicted first."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import traitlets

from adlib.inspect import ArraySummary, FlowOutput, FlowRecord, FlowStep, FlowValue
from adlib.inspect.summaries import (
    PREVIEW_COLUMNS,
    PREVIEW_ROWS,
    even_positions,
    number_text,
    to_json,
)
from adlib_widgets.explorer import Explorer
from adlib_widgets.flow_view import FlowView


class Score(NamedTuple):
    """How many questions were answered rightly, how many of them at once, and how many asked."""

    right: int
    at_once: int
    asked: int

    def __str__(self) -> str:
        return f"{self.right} of {self.asked} right, {self.at_once} at once"


class FlowExplorer(Explorer):
    """Steps through a run: forward with primals and tangents, then back with cotangents.

    Each trait can be set from Python and from the page.

    Attributes:
      step: how many steps are done: first one per equation, then one per contribution to a
        cotangent; 0 shows the inputs, ``steps`` everything.
      sweep: ``"both"``, ``"forward"`` or ``"reverse"``.
      tangents, cotangents: whether these columns are shown.
      predict: whether the learner is asked for each number before it is shown.
      ask: what is asked of arrays: ``"entry"`` for one entry, ``"sum"`` for their sum.
      answers: what was answered, one dict per try: ``step``, ``name``, ``entry``, ``text``,
        ``given``, ``expected``, ``right``, ``slip``, ``skipped``. A slip is ``sign``, ``factor``,
        ``local derivative``, ``missing term``, ``unchanged``, ``multiplied``, ``divided``,
        ``function``, ``primal``, ``tangent``, ``rounding`` or empty. An empty list starts over.
    """

    name = "flow"

    step = traitlets.Int().tag(sync=True)
    sweep = traitlets.Enum(("both", "forward", "reverse"), "both").tag(sync=True)
    tangents = traitlets.Bool(True).tag(sync=True)
    cotangents = traitlets.Bool(True).tag(sync=True)
    predict = traitlets.Bool().tag(sync=True)
    ask = traitlets.Enum(("entry", "sum"), "entry").tag(sync=True)
    answers = traitlets.List(traitlets.Dict()).tag(sync=True)

    def _traits_of(self, view: FlowView) -> dict[str, Any]:
        return {"title": view.summary, "data": flow_data(view.record)}

    def show(self, view: FlowView) -> None:  # type: ignore[override]
        """Draw another run in place; the step is kept where the new run has it."""
        with self.hold_sync():
            super().show(view)
            self.step = min(self.step, self.steps)

    @property
    def steps(self) -> int:
        """How many steps there are in both sweeps."""
        return len(self.data.get("forward", ())) + len(self.data.get("reverse", ()))

    @property
    def score(self) -> Score:
        """What the answers so far come to."""
        tries: dict[Any, list[bool]] = {}
        for answer in self.answers:
            key = (answer.get("step"), answer.get("name"), str(answer.get("expected")))
            tries.setdefault(key, []).append(bool(answer.get("right")))
        right = [each for each in tries.values() if any(each)]
        return Score(len(right), sum(len(each) == 1 for each in right), len(tries))

    @traitlets.validate("step")
    def _valid_step(self, proposal: Any) -> int:
        step = int(proposal["value"])
        if not 0 <= step <= self.steps:
            forward, reverse = len(self.data["forward"]), len(self.data["reverse"])
            raise traitlets.TraitError(
                f"step must be from 0 (inputs only) to {self.steps} ({forward} forward steps, then "
                f"{reverse} reverse steps); it was given {step}."
            )
        return step


def flow_data(record: FlowRecord) -> dict[str, Any]:
    """What the page draws: rows, and the steps of both sweeps that fill them.

    A row has its ``text`` and summaries; ``reads`` are the rows of its operands, or None.
    ``forward`` lists the rows of each equation, ``reverse`` pairs of a row and the number of a
    contribution to its cotangent, in the order in which reverse mode makes them.

    >>> import adlib.numpy as jnp
    >>> from adlib.inspect import flow_record
    >>> data = flow_data(flow_record(lambda x: jnp.sin(x) * x, (2.0,)))
    >>> [row["text"] for row in data["rows"]], data["forward"], data["reverse"]
    (['x', 'sin a', 'b·a', 'c'], [[1], [2]], [[2, 0], [1, 0], [0, 0], [0, 1]])
    """
    rows: list[dict[str, Any]] = []
    values: list[tuple[int, FlowValue]] = []  # with their rows
    row_of: dict[str, int] = {}  # the row that defines a variable, or that an equation starts
    forward: list[list[int]] = []
    for value in record.constants:
        row_of[value.value.name] = len(rows)
        rows.append(_value_row(value, kind="constant", key="constant", text="", parts=[]))
    for name, value in record.inputs:
        values.append((len(rows), value))
        row_of[value.value.name] = len(rows)
        rows.append(_value_row(value, kind="input", key="input", text=name))
    for step in record.steps:
        row_of[f"@{step.id}"] = len(rows)
        group = []
        for i, value in enumerate(step.results):
            group.append(len(rows))
            values.append((len(rows), value))
            rows.append(_step_row(step, value, i, row_of))
        row_of.update((rows[i]["name"], i) for i in group)
        if group:
            forward.append(group)
    for output in record.outputs:
        row_of[f"@{output.id}"] = len(rows)
        rows.append(_output_row(output, row_of))
    order = {step.id: len(record.steps) - i for i, step in enumerate(record.steps)}
    reverse = []
    for row, value in values:
        rows[row]["parts"] = [
            {
                "from": row_of[f"@{part.consumer}"],
                "port": part.operand,
                "rule": part.rule,
                "numbers": part.numbers,
                "share": _picture(part.cotangent),
                "total": _picture(part.total),
            }
            for part in value.contributions
        ]
        for number, part in enumerate(value.contributions):
            seed = int(part.consumer.removeprefix("out_")) if part.consumer not in order else 0
            place = (order.get(part.consumer, 0), seed, part.operand)
            reverse.append((place, [row, number]))
    reverse.sort()
    return {"rows": rows, "forward": forward, "reverse": [entry for _, entry in reverse]}


def _value_row(value: FlowValue, **more: Any) -> dict[str, Any]:
    return {
        "name": value.value.name,
        "type": value.value.type,
        "primal": _picture(value.primal),
        "tangent": _picture(value.tangent),
        "cotangent": _picture(value.cotangent),
        "rule": value.rule,
        "numbers": value.numbers,
        "reads": [],
        **more,
    }


def _step_row(
    step: FlowStep, value: FlowValue, number: int, rows: dict[str, int]
) -> dict[str, Any]:
    return _value_row(
        value,
        kind="step",
        key=step.source,
        id=step.id,
        text="…" if number else step.text,
        code=step.code,
        operands=list(step.operands),
        reads=[rows.get(name) for name in step.operands],
        derivatives=[to_json(local) for local in step.derivatives],
    )


def _output_row(output: FlowOutput, rows: dict[str, int]) -> dict[str, Any]:
    return {
        "kind": "output",
        "key": "output",
        "name": output.name,
        "type": output.primal.type,
        "text": output.operand,
        "primal": _picture(output.primal),
        "tangent": _picture(output.tangent),
        "cotangent": _picture(output.cotangent),
        "operands": [output.operand],
        "reads": [rows.get(output.operand)],
        "parts": [],
    }


def _picture(summary: ArraySummary | None) -> dict[str, Any] | None:
    """A summary as the page wants it: its text, its numbers, and a small picture of an array."""
    if summary is None:
        return None
    short: dict[str, Any] = {"text": summary.text() or "(keys)", "n": summary.size}
    if summary.values is not None:
        short["v"] = _plain(summary, summary.values)
    if summary.size == 1:
        return short
    if summary.preview:
        short["p"] = _plain(summary, summary.preview)
        shape = _shape(summary.type)
        grid = (int(np.prod(shape[:-1], dtype=int)), shape[-1]) if shape else (1, 1)
        if grid[0] > PREVIEW_ROWS or grid[1] > PREVIEW_COLUMNS:
            sizes = zip(grid, (PREVIEW_ROWS, PREVIEW_COLUMNS), strict=True)
            short["at"] = [even_positions(*size).tolist() for size in sizes]
    if summary.mean is not None and summary.finite == summary.size:
        short["sum"] = to_json(summary.mean * summary.size)
    short["about"] = _about(summary)
    return short


def _plain(summary: ArraySummary, entries: Any) -> Any:
    """Entries as JSON; where all are finite they are so already."""
    return entries if summary.finite == summary.size else to_json(entries)


def _shape(kind: str) -> tuple[int, ...]:
    """The shape in a type such as ``f32[3,4]``."""
    sizes = kind.partition("[")[2].rstrip("]")
    return tuple(int(size) for size in sizes.split(",") if size.strip().isdigit())


def _about(summary: ArraySummary) -> str:
    """Statistics in words."""
    parts = [summary.type]
    if summary.min is not None and summary.max is not None and summary.mean is not None:
        parts.append(f"min {number_text(summary.min)}, max {number_text(summary.max)}")
        parts.append(f"mean {number_text(summary.mean)}")
    if summary.nans or summary.infs:
        parts.append(f"{summary.nans} nan, {summary.infs} infinite")
    return ", ".join(parts)
