"""``%checkgrads``: derivatives against finite differences, by mode and order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adlib.test_util import check_grads
from adlib_kernel.actions.mistakes import MagicMistake
from adlib_kernel.actions.problems import Problem
from adlib_kernel.actions.progress import progress
from adlib_kernel.actions.tables import html_table, text_table

_MODES = {"fwd": "forward", "rev": "reverse"}


@dataclass(frozen=True)
class Comparison:
    """One order and mode: whether it agrees, None if it was not tried, and why it differs."""

    order: int
    mode: str
    agrees: bool | None
    reason: str = ""


@dataclass(frozen=True)
class CheckGradsResult:
    """How derivatives compare with finite differences.

    Attributes:
      comparisons: one per order and mode.
    """

    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        """Whether everything agrees."""
        return all(c.agrees for c in self.comparisons)

    def rows(self) -> list[list[str]]:
        """The table's rows: order, mode, verdict."""
        texts = {True: "agrees with finite differences", False: "DIFFERS", None: "not checked"}
        return [
            [f"order {c.order}", _MODES[c.mode], texts[c.agrees] + (c.reason and f": {c.reason}")]
            for c in self.comparisons
        ]

    def __repr__(self) -> str:
        return text_table(self.rows())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        rows = html_table(["order", "mode", "verdict"], self.rows())
        return {"text/plain": repr(self), "text/html": rows}


def check_derivatives(
    problem: Problem, *, order: int = 2, modes: Sequence[str] = ("fwd", "rev")
) -> CheckGradsResult:
    """Compare derivatives with finite differences along random directions of a fixed seed.

    Args:
      problem: the function, its variables' names and their values.
      order: highest order of derivatives.
      modes: which of ``"fwd"`` and ``"rev"``.

    Raises:
      MagicMistake: an order below 1 or another mode.
      Exception: whatever the function raises.

    >>> check_derivatives(Problem(lambda x: x**3, ("x",), (2.0,)), order=1)
    order 1  forward  agrees with finite differences
    order 1  reverse  agrees with finite differences
    """
    __tracebackhide__ = True
    if order < 1:
        raise MagicMistake(f"%checkgrads: --order has to be at least 1; it is {order}.")
    for mode in modes:
        if mode not in _MODES:
            raise MagicMistake(
                f"%checkgrads: --modes takes fwd, rev or both as fwd,rev; {mode!r} is neither."
            )
    found: list[Comparison] = []
    failed: set[str] = set()
    pairs = [(number, mode) for number in range(1, order + 1) for mode in modes]
    for number, mode in progress(pairs, "%checkgrads"):
        if mode in failed:
            found.append(Comparison(number, mode, None, "a lower order differs"))
            continue
        try:
            check_grads(problem.function, problem.values, number, (mode,))
        except AssertionError as error:
            failed.add(mode)
            found.append(Comparison(number, mode, False, _reason(error)))
        else:
            found.append(Comparison(number, mode, True))
    return CheckGradsResult(tuple(found))


def _reason(error: AssertionError) -> str:
    """How far it is off, without where the check was called and the general advice."""
    lines = [line.strip() for line in str(error).split("\n")]
    end = next((i for i, line in enumerate(lines) if line.startswith("at ")), len(lines))
    return " ".join(lines[:end])
