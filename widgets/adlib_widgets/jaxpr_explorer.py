"""The interactive form of ``show_jaxpr``: the graph beside its equations and the user's code."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

import traitlets

from adlib.inspect.profile import profile_record
from adlib_widgets.explorer import Explorer
from adlib_widgets.jaxpr_data import drawing_json, drawings_json, measures_json, program_json
from adlib_widgets.jaxpr_view import JaxprView

_COLORS = ("none", "flops", "bytes", "seconds", "magnitude")
_MEASURED = ("seconds", "magnitude")


class JaxprExplorer(Explorer):
    """The graph of a jaxpr, to unfold, search, colour and save.

    Attributes:
      unfolded: paths of the equations and parts that are drawn open, e.g. ``["scan_0"]``;
        ``foldable`` lists what there is. Setting it draws the graph anew.
      labels: whether links say what types they carry.
      color: ``none``, ``flops``, ``bytes``, ``seconds`` or ``magnitude``; the last two run the
        program once, at the arguments of the view.
      selected: path of the selected node, or empty.
      measures: what that run measured, by node; empty before.
    """

    name = "jaxpr"

    drawing = traitlets.Dict().tag(sync=True)
    unfolded = traitlets.List(traitlets.Unicode()).tag(sync=True)
    labels = traitlets.Bool(False).tag(sync=True)
    color = traitlets.Enum(_COLORS, default_value="none").tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    measures = traitlets.Dict().tag(sync=True)

    view: JaxprView

    def _traits_of(self, view: JaxprView) -> dict[str, Any]:  # type: ignore[override]
        data = program_json(view)
        data["drawings"] = drawings_json(view)
        known = view.outline.foldable
        opened = [path for path in self.unfolded if path in known]
        if not self.data:
            opened = sorted(view.outline.at_first())
        paths = {node["path"] for node in data["nodes"]} | set(known)
        measured = {}
        if self.color in _MEASURED and view.values is not None:
            measured = self._measured(view, data["nodes"])
        return {
            "title": "jaxpr",
            "data": data,
            "unfolded": opened,
            "drawing": drawing_json(view, frozenset(opened), self.labels),
            "selected": self.selected if self.selected in paths else "",
            "measures": measured,
        }

    @property
    def foldable(self) -> list[str]:
        """Paths of all that can be drawn open: equations that hold programs, and parts."""
        return list(self.view.outline.foldable)

    def unfold(self, paths: Iterable[str] | None = None) -> None:
        """Draw these open too, and all that they stand in; everything where none are given.

        Raises:
          TraitError: for a path that nothing has.
        """
        known = self.view.outline.foldable
        wanted = list(known) if paths is None else [*self.unfolded, *paths]
        around = {box["path"]: box["parent"] for box in self.data["containers"]}
        boxes = [box["path"] for box in self.data["containers"]]
        opened = dict.fromkeys(wanted)
        for path in wanted:
            parent = around.get(path, -1)
            while parent >= 0:
                opened[boxes[parent]] = None
                parent = around[boxes[parent]]
        self.unfolded = [*opened]

    def fold(self) -> None:
        """Draw nothing open."""
        self.unfolded = []

    # --- traits ---------------------------------------------------------------------------

    @traitlets.validate("unfolded")
    def _check_unfolded(self, proposal: Any) -> list[str]:
        known = self.view.outline.foldable
        for path in proposal["value"]:
            if path not in known:
                raise traitlets.TraitError(
                    f"unfolded wants paths of equations that hold programs, or of parts of a long "
                    f"program; it was given {path!r}.{_suggestion(path, known)}"
                )
        return sorted(set(proposal["value"]))

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> str:
        path = proposal["value"]
        known = ["", *(node["path"] for node in self.data.get("nodes", [])), *self.foldable]
        if self.data and path not in known:
            raise traitlets.TraitError(
                f"selected wants the path of a node, or an empty text; it was given {path!r}."
                f"{_suggestion(path, known)}"
            )
        return str(path)

    @traitlets.validate("color")
    def _check_color(self, proposal: Any) -> str:
        if proposal["value"] in _MEASURED and self.view.values is None:
            raise traitlets.TraitError(_no_values(proposal["value"]))
        return str(proposal["value"])

    @traitlets.observe("unfolded", "labels")
    def _redraw(self, _change: Any) -> None:
        shown = self.drawing
        if shown.get("open") != self.unfolded or shown.get("labels") != self.labels:
            self.drawing = drawing_json(self.view, frozenset(self.unfolded), self.labels)

    @traitlets.observe("color")
    def _measure_for_color(self, _change: Any) -> None:
        if self.color in _MEASURED:
            self._measure()

    # --- requests -------------------------------------------------------------------------

    def requests(self) -> dict[str, Callable[..., Any]]:
        return {"open": self._open, "measure": self._measure, "dot": self.view.to_dot}

    def _open(self, paths: list[str], labels: bool) -> int:
        """Draw with these paths open; gives how many are."""
        with self.hold_sync():
            self.labels = labels
            self.unfolded = paths
        return len(self.unfolded)

    def _measure(self) -> bool:
        """Run the program once, if that has not been done; tells whether all of it was measured."""
        if self.view.values is None:
            raise ValueError(_no_values("seconds and magnitude"))
        if not self.measures:
            self.measures = self._measured(self.view, self.data["nodes"])
        return bool(self.measures["complete"])

    @staticmethod
    def _measured(view: JaxprView, nodes: list[dict[str, Any]]) -> dict[str, Any]:
        assert view.values is not None
        return measures_json(nodes, profile_record(view.jaxpr, view.values))


def _suggestion(path: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(path, [one for one in known if one], 1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _no_values(what: str) -> str:
    return (
        f"{what} come from running the program, and this view was made from a jaxpr alone. "
        "Repair: show_jaxpr(f)(*args) keeps the arguments; or JaxprView(jaxpr, values=args)."
    )
