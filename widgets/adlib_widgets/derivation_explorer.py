"""The derivation, explored: program after program, and an equation through all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from adlib.inspect import DerivationRecord
from adlib.inspect.summaries import to_json
from adlib_widgets.derivation_view import DerivationView, describe
from adlib_widgets.explorer import Explorer

_MOST_RULES = 1500  # sentences that are in the page; of longer derivations the kernel tells them


class DerivationExplorer(Explorer):
    """The programs from a function to its derivative, one after the other.

    Each trait can be set from Python and from the page.

    Attributes:
      stage: how far the derivation is shown: the position of the last program.
      selected: ``[title, step]`` of an equation, such as ``["transpose", 3]``, which lights up
        with all that it comes from and all that comes from it; empty for none.
    """

    name = "derivation"

    stage = traitlets.Int().tag(sync=True)
    selected = traitlets.List().tag(sync=True)

    def __init__(self, view: DerivationView, **traits: Any) -> None:
        traits.setdefault("stage", len(view.record.programs) - 1)
        super().__init__(view, **traits)

    def _traits_of(self, view: DerivationView) -> dict[str, Any]:
        return {"title": f"derivation: {view.record.kind}", "data": derivation_data(view.record)}

    def show(self, view: DerivationView) -> None:  # type: ignore[override]
        """Draw another derivation in place; stage and selection are kept where it has them."""
        with self.hold_sync(), self.hold_trait_notifications():
            last = self.stage >= len(self.data["programs"]) - 1
            super().show(view)
            count = len(view.record.programs)
            self.stage = count - 1 if last else min(self.stage, count - 1)
            if self.selected and self._line(*self.selected) is None:
                self.selected = []

    def requests(self) -> dict[str, Callable[..., Any]]:
        """``rule``: the sentence on an equation, by the positions of its program and of itself."""
        record = self.view.record
        return {"rule": lambda program, line: record.programs[program].lines[line].rule}

    def _line(self, title: Any, step: Any) -> Any:
        for program in self.view.record.programs:
            if program.title == title:
                return next((line for line in program.lines if line.step == step), None)
        return None

    @traitlets.validate("stage")
    def _valid_stage(self, proposal: Any) -> int:
        titles = [program.title for program in self.view.record.programs]
        if not 0 <= proposal["value"] < len(titles):
            named = ", ".join(f"{i} {title}" for i, title in enumerate(titles))
            raise traitlets.TraitError(
                f"stage must be the position of a program ({named}); "
                f"it was given {proposal['value']}."
            )
        return int(proposal["value"])

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: Any) -> list[Any]:
        value = list(proposal["value"])
        if value and (len(value) != 2 or self._line(*value) is None):
            ends = [f"[{p.title!r}, 1 to {len(p.lines)}]" for p in self.view.record.programs]
            raise traitlets.TraitError(
                f"selected must be empty, or [title, step] of an equation: one of "
                f"{', '.join(ends)}; it was given {value!r}."
            )
        return value


def derivation_data(record: DerivationRecord) -> dict[str, Any]:
    """What the page draws: the record, and its summary.

    The sentences are left out of long derivations (``told`` is then False).
    """
    data: dict[str, Any] = to_json(record)
    lines = [line for program in data["programs"] for line in program["lines"]]
    told = len(lines) <= _MOST_RULES
    if not told:
        for line in lines:
            line["rule"] = ""
    return {**data, "told": told, "summary": describe(record)}
