"""The picture of a memory record: live bytes through both sweeps, and places for a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adlib.inspect import MemoryRecord
from adlib_widgets import theme
from adlib_widgets.canvas import FORWARD, GRID, REVERSE, Canvas, bytes_text
from adlib_widgets.svg import number

_PLOT_HEIGHT = 230.0
_BAR_HEIGHT = 90.0
_LEFT = 70.0
_TOP = 50.0
_RIGHT = 20.0
_MOST_LABELS = 60
_ARGUMENTS, _RESIDUALS, _WORKING = "#cfd3da", "#8fa8d8", "#f0c9a8"
_BEST = "#2f855a"
_AGAIN, _AGAIN_INK = "#e9e1f8", "#6a3fb5"
_SWEEPS = {"forward": FORWARD, "again": _AGAIN_INK, "reverse": REVERSE}


def memory_svg(record: MemoryRecord, *, description: str) -> tuple[str, float]:
    """The picture as an SVG document, and its width."""
    count = len(record.moments)
    step = min(max(34.0, 420.0 / max(count, 1)), 860.0 / max(count, 1))
    width = _LEFT + max(step * count, 420.0) + _RIGHT
    canvas = Canvas()
    labels = count <= _MOST_LABELS
    bottom = _TOP + _PLOT_HEIGHT
    _legend(canvas)
    top = max(record.peak_bytes, 1) * 1.08

    def y(size: float) -> float:
        return bottom - _PLOT_HEIGHT * size / top

    _grounds(canvas, [moment.sweep for moment in record.moments], step, bottom)
    _grid(canvas, top, y, width)
    _areas(canvas, record, step, y)
    if labels:
        _moment_labels(canvas, record, step, bottom)
    _peak(canvas, record, step, y)
    height = bottom + (96.0 if labels else 22.0)
    if record.checkpoints and record.peak_bytes:
        height = _bars(canvas, record, height + 34)
    width = max(width, canvas.right)  # few moments leave less room than the legend needs
    svg = canvas.document(width, height, title="memory of reverse mode", description=description)
    return svg, width


def _legend(canvas: Canvas) -> None:
    x = _LEFT
    for color, text in (
        (_ARGUMENTS, "arguments"),
        (_RESIDUALS, "residuals, kept for the reverse sweep"),
        (_WORKING, "values at work"),
    ):
        canvas.rect(x, 2, 12, 12, color, stroke=theme.EDGE, radius=2)
        x = canvas.text(x + 18, 12, text) + 22
    canvas.path(f"M{number(x)} 8h20", stroke=theme.INK, width=1.5, dash="4 3")
    canvas.text(x + 26, 12, "without derivatives")


def _grounds(canvas: Canvas, sweeps: Sequence[str], step: float, bottom: float) -> None:
    forward = sweeps.count("forward")
    half, rest = step * forward, step * (len(sweeps) - forward)
    canvas.rect(_LEFT, _TOP - 20, half, bottom - _TOP + 20, "#eef5f9")
    canvas.rect(_LEFT + half, _TOP - 20, rest, bottom - _TOP + 20, "#fbf1ea")
    for i, sweep in enumerate(sweeps):
        if sweep == "again":  # the second run of a checkpoint, within the reverse sweep
            canvas.rect(_LEFT + i * step, _TOP, step, bottom - _TOP, _AGAIN)
    for x, text, color in (
        (_LEFT + half / 2, "forward sweep →", FORWARD),
        (_LEFT + half + rest / 2, "reverse sweep →", REVERSE),
    ):
        canvas.text(x, _TOP - 6, text, color=color, bold=True, anchor="middle")


def _grid(canvas: Canvas, top: float, y: Callable[[float], float], width: float) -> None:
    """Lines at round sizes, at most five."""
    unit = 1.0
    while top / unit > 5:
        unit *= 2
    size = 0.0
    while size <= top:
        canvas.line(_LEFT, y(size), width - _RIGHT, y(size), GRID)
        canvas.text(
            _LEFT - 8, y(size) + 4, bytes_text(int(size)), size=theme.SMALL_SIZE,
            color=theme.MUTED, anchor="end",
        )  # fmt: skip
        size += unit


def _areas(canvas: Canvas, record: MemoryRecord, step: float, y: Callable[[float], float]) -> None:
    arguments = [record.argument_bytes for _ in record.moments]
    kept = [record.argument_bytes + m.residual_bytes for m in record.moments]
    total = [m.bytes for m in record.moments]
    for sizes, color in ((total, _WORKING), (kept, _RESIDUALS), (arguments, _ARGUMENTS)):
        path = _steps(sizes, step, y)
        base = number(y(0))
        canvas.path(f"{path}V{base}H{number(_LEFT)}z", fill=color)
    canvas.path(_steps(total, step, y), stroke=theme.INK, width=1.6)
    primal = [m.primal_bytes for m in record.moments if m.sweep == "forward"]
    canvas.path(_steps(primal, step, y), stroke=theme.INK, width=1.4, dash="4 3")


def _steps(sizes: Sequence[float], step: float, y: Callable[[float], float]) -> str:
    if not sizes:
        return f"M{number(_LEFT)} {number(y(0))}"
    parts = [f"M{number(_LEFT)} {number(y(sizes[0]))}"]
    for i, size in enumerate(sizes):
        parts.append(f"V{number(y(size))}H{number(_LEFT + step * (i + 1))}")
    return "".join(parts)


def _moment_labels(canvas: Canvas, record: MemoryRecord, step: float, bottom: float) -> None:
    for i, moment in enumerate(record.moments):
        x = _LEFT + step * (i + 0.5)
        canvas.line(x, bottom, x, bottom + 4, theme.EDGE)
        label = record.steps[moment.step][0]
        color = _SWEEPS[moment.sweep]
        short = label if len(label) <= 15 else label[:14] + "…"
        canvas.text(x + 4, bottom + 12, short, size=theme.SMALL_SIZE, color=color, anchor="end",
                    turn=-60)  # fmt: skip


def _peak(canvas: Canvas, record: MemoryRecord, step: float, y: Callable[[float], float]) -> None:
    if not record.moments:
        return
    place = max(range(len(record.moments)), key=lambda i: record.moments[i].bytes)
    x, top = _LEFT + step * (place + 0.5), y(record.peak_bytes)
    text = f"peak {bytes_text(record.peak_bytes)}"
    left = place > len(record.moments) * 0.6
    canvas.rect(x - 3, top - 3, 6, 6, theme.INK, radius=3)
    canvas.text(
        x - 8 if left else x + 8, top - 5, text, bold=True, anchor="end" if left else "start"
    )


def _bars(canvas: Canvas, record: MemoryRecord, top: float) -> float:
    """The peak that a checkpoint would leave, for each place where one could end."""
    title = "peak with a checkpoint around everything up to …"
    canvas.text(_LEFT, top, title, bold=True)
    best = record.best_checkpoint
    places = record.checkpoints
    step = min(34.0, 860.0 / len(places))
    base = top + 22 + _BAR_HEIGHT
    most = max(record.peak_bytes, *(place.peak_bytes for place in places))
    for i, place in enumerate(places):
        size = _BAR_HEIGHT * place.peak_bytes / most
        color = _BEST if best is not None and place == best else "#c3cad6"
        tip = f"{place.after}: {bytes_text(place.peak_bytes)}"
        canvas.rect(_LEFT + i * step, base - size, max(step - 2, 1.5), size, color, tip=tip)
    now = base - _BAR_HEIGHT * record.peak_bytes / most
    end = _LEFT + step * len(places)
    canvas.path(f"M{number(_LEFT)} {number(now)}H{number(end)}", stroke=theme.INK, dash="4 3")
    canvas.text(
        _LEFT - 8, now + 4, bytes_text(record.peak_bytes), size=theme.SMALL_SIZE,
        color=theme.MUTED, anchor="end",
    )  # fmt: skip
    canvas.line(_LEFT, base, end, base, theme.EDGE)
    canvas.text(_LEFT, base + 18, best_text(record), color=_BEST if best else theme.MUTED)
    return base + 26


def best_text(record: MemoryRecord) -> str:
    """What the best single checkpoint saves and costs, in a sentence."""
    best = record.best_checkpoint
    if not record.checkpoints and record.recomputed:
        return (
            f"Its own checkpoints run {record.recomputed} of {len(record.steps)} equations twice."
        )
    if best is None:
        return "No single checkpoint lowers the peak."
    saved = 100 * (1 - best.peak_bytes / record.peak_bytes)
    line = f" ({best.source})" if best.source else ""
    return (
        f"Best: up to {best.after}{line}: {bytes_text(best.peak_bytes)}, {saved:.0f}% less, for "
        f"running {best.recomputed} of {len(record.steps)} equations twice."
    )
