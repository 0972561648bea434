"""Why NaN, explored: the way of the bad numbers through a function and its derivatives."""

from __future__ import annotations

from typing import Any

import traitlets

from adlib.inspect import BadEquation, NamedSummary
from adlib.inspect.nan_trail import Picture, TrailRow, TrailValue
from adlib.inspect.summaries import ArraySummary, to_json
from adlib_widgets.explorer import Explorer
from adlib_widgets.nan_view import NanView, where

SWEEPS = ("primal", "tangent", "cotangent")


class NanExplorer(Explorer):
    """The equations on the way of a NaN or an infinity, and what to do about them.

    Each trait can be set from Python and from the page.

    Attributes:
      selected: the id of an equation on the way (``log_0``), or of an input (``in_0``); empty
        where all is finite.
      sweep: of which its numbers are shown: ``"primal"``, ``"tangent"`` or ``"cotangent"``.
    """

    name = "nan"

    selected = traitlets.Unicode().tag(sync=True)
    sweep = traitlets.Enum(SWEEPS, "primal").tag(sync=True)

    def __init__(self, view: NanView, **traits: Any) -> None:
        first = view.record.first
        if first is not None:
            traits.setdefault("selected", first.row)
            traits.setdefault("sweep", first.sweep)
        super().__init__(view, **traits)

    def _traits_of(self, view: NanView) -> dict[str, Any]:
        return {"title": "why NaN", "data": nan_data(view)}

    def show(self, view: NanView) -> None:  # type: ignore[override]
        """Look at another run in place; the selection is kept where its trail has it."""
        with self.hold_sync(), self.hold_trait_notifications():
            super().show(view)
            if self.selected not in self._ids():
                first = view.record.first
                self.selected = "" if first is None else first.row
                self.sweep = "primal" if first is None else first.sweep

    def _ids(self) -> list[str]:
        return [row.id for row in self.view.record.trail]

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: Any) -> str:
        value, ids = proposal["value"], self._ids()
        if value and value not in ids:
            there = f"one of {', '.join(ids[:12])}" if ids else "empty here: all is finite"
            raise traitlets.TraitError(
                f"selected must be the id of an equation on the trail, {there}; "
                f"it was given {value!r}."
            )
        return str(value)


def nan_data(view: NanView) -> dict[str, Any]:
    """What the page draws: the verdict, the findings with their repairs, the rows of the trail."""
    record = view.record
    findings = [_finding(title, bad) for title, bad in view.findings()]
    firsts = (record.origin or record.primal, record.tangent, record.cotangent)
    starts = {
        sweep: {"row": bad.row, "kind": bad.kind}
        for sweep, bad in zip(SWEEPS, firsts, strict=True)
        if bad is not None
    }
    return {
        "headline": view.headline(),
        "good": record.first is None,
        "kind": "" if record.first is None else record.first.kind,
        "not_differentiated": record.not_differentiated,
        "findings": findings,
        "starts": starts,
        "rows": [_row(row) for row in record.trail],
    }


def _finding(title: str, bad: BadEquation) -> dict[str, Any]:
    return {
        "title": "" if title == "first" else title,
        "where": where(bad),
        "sweep": bad.sweep,
        "kind": bad.kind,
        "row": bad.row,
        "text": bad.text,
        "source": bad.source,
        "code": bad.code,
        "values": [_named(item, "in") for item in bad.operands] + [_named(bad.result, "out")],
        "why": bad.why,
        "repair": bad.repair,
        "before": bad.repair_before,
        "after": bad.repair_code,
    }


def _named(item: NamedSummary, way: str) -> dict[str, Any]:
    return {"name": item.name, "way": way, **_numbers(item.summary, item.picture)}


def _row(row: TrailRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "text": row.text,
        "source": row.source,
        "code": row.code,
        "reads": list(row.reads),
        "output": row.output,
        **{sweep: _value(getattr(row, sweep)) for sweep in SWEEPS},
    }


def _value(value: TrailValue | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"status": value.status, **_numbers(value.summary, value.picture)}


def _numbers(summary: ArraySummary, picture: Picture | None) -> dict[str, Any]:
    return {
        "type": summary.type,
        "text": summary.text(),
        "size": summary.size,
        "nans": summary.nans,
        "infs": summary.infs,
        "picture": None if picture is None else to_json(picture.rows),
    }
