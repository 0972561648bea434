"""Steps that put an array together, as CUDA kernels: one for each part that is copied to its place.

Scatters and running totals have kernels of their own (``scatters``, ``scans``), which enter
themselves in ``KERNELS`` by the name of their primitive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adlib.compile.cuda.expressions import CudaElements
from adlib.compile.cuda.maps import mapped
from adlib.compile.cuda.source import Launch, joined_axes
from adlib.compile.pieces import RUNNING, UPDATES, PiecesWriter
from adlib.compile.steps import Scheduled

NAMES = frozenset({"concatenate", "stack", "pad", "dynamic_update_slice", *UPDATES, *RUNNING})

KERNELS: dict[str, Callable[[Any], None]] = {}


class CudaPieces(PiecesWriter):
    """The kernels of one step; ``launches`` and ``partials`` as of ``CudaGroup``."""

    elements = CudaElements

    def __init__(self, schedule: Scheduled, number: int, name: str) -> None:
        self.launches: list[Launch] = []
        self.partials: list[tuple[int, np.dtype[Any]]] = []
        super().__init__(schedule, number, name)

    @property
    def given(self) -> list[int]:
        """Numbers of the buffers that lie in memory."""
        return list(range(len(self.buffers)))

    def new_name(self) -> str:
        """The name of the next kernel."""
        return f"{self.name}_{len(self.launches)}"

    def write(self) -> None:
        assert self.target >= 0  # the result is given even where nothing is written
        KERNELS.get(self.eqn.primitive.name, PiecesWriter.write)(self)

    def nest(self, space: tuple[int, ...], body: list[Any], why: str, ordered: bool) -> None:
        assert not ordered
        _, extents = joined_axes(space, body)
        mapped(self, self.new_name(), body, extents)
