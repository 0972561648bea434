"""Which steps are kernels of ours, and who writes them."""

from __future__ import annotations

from adlib.compile.cuda import convolution, scans, scatters, windows
from adlib.compile.cuda.kernels import CudaGroup
from adlib.compile.cuda.pieces import CudaPieces
from adlib.compile.cuda.products import SmallProducts, small
from adlib.compile.cuda.rows import CudaRegion, by_rows
from adlib.compile.steps import Dot, Group, Library, Pieces, Region, Scheduled, Step, groups_of
from adlib.core.jaxpr import Eqn

__all__ = ["CudaWriter", "library", "of_step", "ours", "scans", "scatters"]

Tiles = convolution.CudaConvolution | windows.CudaWindows
CudaWriter = CudaGroup | CudaRegion | CudaPieces | SmallProducts | Tiles


def library(eqn: Eqn) -> type[Tiles] | None:
    """What writes the kernels of an equation that is a step of its own; None where CuPy has it."""
    if convolution.native(eqn):
        return convolution.CudaConvolution
    return windows.CudaWindows if windows.native(eqn) else None


def ours(step: Step) -> bool:
    """Whether a step is kernels of ours."""
    if isinstance(step, Dot):
        return small(step.eqn)
    if isinstance(step, Library):
        return library(step.eqn) is not None
    return isinstance(step, (Group, Region, Pieces))


def of_step(schedule: Scheduled, number: int, name: str) -> list[CudaWriter]:
    """What wrote the kernels of a step, in order of execution."""
    step = schedule.steps[number]
    if isinstance(step, Pieces):
        return [CudaPieces(schedule, number, name)]
    if isinstance(step, Dot):
        return [SmallProducts(schedule, number, name)]
    if isinstance(step, Library):
        writer = library(step.eqn)
        assert writer is not None
        return [writer(schedule, number, name)]
    assert isinstance(step, (Group, Region))
    if isinstance(step, Region) and by_rows(step):
        return [CudaRegion(schedule, number, name)]
    groups = enumerate(groups_of(step))
    return [CudaGroup(schedule, number, f"{name}_{i}", group) for i, group in groups]
