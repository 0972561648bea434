"""The memory of reverse mode, explored: a cursor, lifetimes, and checkpoints to try."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import traitlets

from adlib.inspect import MemoryRecord
from adlib.inspect.checkpointing import checkpoint_ends, part_count
from adlib.inspect.programs import Program
from adlib_widgets.explorer import Explorer
from adlib_widgets.memory_view import MemoryView

_MOST_PLACES = 200
MOST_SEGMENTS = 12
# of saved pages: trials of all places, and of all places in several segments
_MOST_SAVED, _MOST_SAVED_SEGMENTS, _SAVED_SEGMENTS = 40, 16, 4


class MemoryExplorer(Explorer):
    """Live bytes through both sweeps, with a cursor and a checkpoint that can be moved.

    Each trait can be set from Python and from the page.

    Attributes:
      moment: where the cursor stands: a position in the record's moments, or in those of the
        trial while a checkpoint is tried.
      equations: how many equations a checkpoint holds, from the first on; 0 for none.
      segments: into how many checkpoints these equations are cut.
      selected: the name of the buffer whose life is shown; empty for none.
    """

    name = "memory"

    moment = traitlets.Int().tag(sync=True)
    equations = traitlets.Int().tag(sync=True)
    segments = traitlets.Int(1).tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)

    def __init__(self, view: MemoryView, **traits: Any) -> None:
        super().__init__(view, **traits)
        if "moment" not in traits:  # what needs so much is asked first
            peak = view.record.peak_bytes
            places = [i for i, m in enumerate(view.record.moments) if m.bytes == peak]
            self.moment = places[0] if places else 0

    def _traits_of(self, view: MemoryView) -> dict[str, Any]:
        self._trial = lru_cache(maxsize=64)(view.trial)
        return {"title": "memory of reverse mode", "data": memory_data(view)}

    def show(self, view: MemoryView) -> None:  # type: ignore[override]
        """Draw another run in place; cursor and checkpoint stay where the new run has them."""
        with self.hold_sync(), self.hold_trait_notifications():
            super().show(view)
            if self.equations not in self._ends():
                self.equations, self.segments = 0, 1
            self.moment = max(0, min(self.moment, len(self._shown().moments) - 1))
            if self.selected not in self._names():
                self.selected = ""

    @property
    def trial(self) -> MemoryRecord | None:
        """The record of the function with the checkpoint that is tried; None without one."""
        return self._trial(self.equations, self.segments) if self.equations else None

    def requests(self) -> dict[str, Callable[..., Any]]:
        """``checkpoint``: the curve with a checkpoint."""
        return {"checkpoint": self._checkpoint}

    def to_html(self) -> str:
        """The view as one page without a kernel; of small programs it holds the trials as well."""
        before = self.data
        try:
            self.data = {**before, "plans": self._plans()}
            return super().to_html()
        finally:
            self.data = before

    def _checkpoint(self, equations: int, segments: int) -> dict[str, Any]:
        return curve(self._trial(int(equations), int(segments)))

    def _plans(self) -> dict[str, Any]:
        if self.view.program is None or len(self._ends()) > _MOST_SAVED:
            chosen = [(self.equations, self.segments)] if self.equations else []
        else:
            ends = self._ends()
            several = ends if len(ends) <= _MOST_SAVED_SEGMENTS else ends[-1:]
            chosen = [(end, 1) for end in ends]
            chosen += [
                (end, count)
                for end in several
                for count in range(2, self._most_segments(end, _SAVED_SEGMENTS) + 1)
            ]
        return {f"{end}/{count}": self._checkpoint(end, count) for end, count in chosen}

    def _ends(self) -> list[int]:
        return [place["equations"] for place in self.data.get("places", ())]

    def _most_segments(self, equations: int, most: int = MOST_SEGMENTS) -> int:
        program: Program | None = self.view.program
        return 1 if program is None else min(most, part_count(program.closed, equations))

    def _shown(self) -> MemoryRecord:
        return self.trial or self.view.record

    def _names(self) -> set[str]:
        return {"", *(buffer.name for buffer in self._shown().buffers)}

    @traitlets.validate("moment")
    def _valid_moment(self, proposal: Any) -> int:
        count = len(self._shown().moments)
        if not 0 <= proposal["value"] < max(count, 1):
            with_ = " with this checkpoint" if self.equations else ""
            raise traitlets.TraitError(
                f"moment must be from 0 to {max(count - 1, 0)}: there are {count} moments{with_}, "
                f"forward and in reverse; it was given {proposal['value']}."
            )
        return int(proposal["value"])

    @traitlets.validate("equations")
    def _valid_equations(self, proposal: Any) -> int:
        value, ends = int(proposal["value"]), self._ends()
        if value and value not in ends:
            places = f"{', '.join(map(str, ends[:12]))}{', …' if len(ends) > 12 else ''}"
            raise traitlets.TraitError(
                f"equations must be 0, for no checkpoint, or how many equations it holds: one of "
                f"{places or 'none here'}; it was given {value}."
            )
        return value

    @traitlets.validate("segments")
    def _valid_segments(self, proposal: Any) -> int:
        most = self._most_segments(self.equations) if self.equations else MOST_SEGMENTS
        if not 1 <= proposal["value"] <= most:
            raise traitlets.TraitError(
                f"segments must be from 1 to {most}, at most one per equation; "
                f"it was given {proposal['value']}."
            )
        return int(proposal["value"])

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: Any) -> str:
        names = self._names()
        if proposal["value"] not in names:
            some = ", ".join(sorted(names - {""})[:12])
            raise traitlets.TraitError(
                f"selected must be the name of a buffer, or empty; there is none called "
                f"{proposal['value']!r}. There are: {some or 'none'}."
            )
        return str(proposal["value"])


def memory_data(view: MemoryView) -> dict[str, Any]:
    """What the page draws.

    ``steps`` holds id, label and source of each equation, ``plain`` the curve without a
    checkpoint (see ``curve``), ``places`` where a checkpoint can end, ``plans`` curves with
    checkpoints by ``"equations/segments"``.
    """
    record = view.record
    known = {place.equations: place for place in record.checkpoints}
    ends = sorted(known) if view.program is None else checkpoint_ends(view.program.closed)
    stride = max(1, -(-len(ends) // _MOST_PLACES))
    chosen = sorted(
        {end for i, end in enumerate(ends, 1) if i % stride == 0 or i == len(ends)} | set(known)
    )
    return {
        "steps": [list(step) for step in record.steps],
        "plain": curve(record),
        "primal_peak": record.primal_peak_bytes,
        "forward_flops": record.forward_flops,
        "places": [_place(view, end, known.get(end)) for end in chosen],
        "plans": {},
        "headline": view.headline(),
        "can_try": view.program is not None,
    }


def _place(view: MemoryView, end: int, known: Any) -> dict[str, Any]:
    program = view.program
    parts = 1 if program is None else min(MOST_SEGMENTS, part_count(program.closed, end))
    place = {"equations": end, "parts": parts}
    if known is not None:
        place.update(peak=known.peak_bytes, flops=known.flops, recomputed=known.recomputed)
    return place


def curve(record: MemoryRecord) -> dict[str, Any]:
    """Moments and buffers of a record, in short rows.

    A moment is [step, sweep, bytes, residual bytes, primal bytes]; a buffer is [name, type,
    bytes, role, step, source, code, first, last, needed by].

    >>> import adlib.numpy as jnp
    >>> from adlib.inspect import memory_record
    >>> curve(memory_record(lambda x: jnp.sin(x).sum(), (jnp.ones(1000),)))["moments"][0]
    [0, 'forward', 12000, 4000, 8000]
    """
    return {
        "moments": [
            [m.step, m.sweep, m.bytes, m.residual_bytes, m.primal_bytes] for m in record.moments
        ],
        "buffers": [
            [b.name, b.type, b.bytes, b.role, b.step, b.source, b.code, b.first, b.last,
             list(b.needed_by)]
            for b in record.buffers
        ],
        "peak": record.peak_bytes,
        "arguments": record.argument_bytes,
        "flops": record.recomputed_flops,
        "recomputed": record.recomputed,
    }  # fmt: skip
