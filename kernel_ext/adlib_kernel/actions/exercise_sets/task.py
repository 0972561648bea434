"""One exercise of the course, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Task:
    """An exercise before it is declared.

    Attributes:
      name: what ``%%check`` calls it; no two in the course are the same.
      level: warm-up, practice or stretch.
      reference: the right answer.
      hints: from the gentlest to the plainest.
      options: the other arguments of ``exercise``.
    """

    name: str
    level: str
    reference: Any
    hints: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
