"""A scene drawn by matplotlib, for papers: the same picture in any format that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adlib_widgets import theme
from adlib_widgets.scene import Curve, Rect, Scene, Text

_ALIGN = {"start": "left", "middle": "center", "end": "right"}
_MARGIN = 6.0


def save_scene(scene: Scene, path: str | Path, **options: Any) -> Path:
    """Write a scene of rectangles, texts and curves to a file; gives the path.

    One unit of the scene is one point. SVG files are the same bytes each time.

    Raises:
      ImportError: if matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "savefig() needs the Python package matplotlib: pip install matplotlib. "
            "The attribute svg holds the same picture as text without it."
        ) from None
    path = Path(path)
    width, height = scene.width + 2 * _MARGIN, scene.height + 2 * _MARGIN
    with matplotlib.rc_context({"svg.hashsalt": "adlib", "font.family": "monospace"}):
        figure = Figure(figsize=(width / 72, height / 72))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(-_MARGIN, scene.width + _MARGIN)
        axes.set_ylim(scene.height + _MARGIN, -_MARGIN)
        axes.set_axis_off()
        for shape in scene.shapes:
            _draw(axes, shape)
        if path.suffix == ".svg":
            options.setdefault("metadata", {"Date": None})
        figure.savefig(path, **options)
    return path


def _draw(axes: Any, shape: Rect | Text | Curve) -> None:
    from matplotlib.patches import FancyBboxPatch
    from matplotlib.path import Path as Outline

    if isinstance(shape, Rect):
        radius = min(shape.style.radius, shape.height / 2, shape.width / 2)
        axes.add_patch(
            FancyBboxPatch(
                (shape.x, shape.y),
                shape.width,
                shape.height,
                boxstyle=f"round,pad=0,rounding_size={radius}" if radius else "square,pad=0",
                facecolor=shape.style.fill,
                edgecolor=shape.style.stroke,
                linewidth=shape.style.stroke_width,
                linestyle="--" if shape.style.dash else "-",
            )
        )
    elif isinstance(shape, Text):
        axes.text(
            shape.x,
            shape.y,
            shape.text,
            fontsize=shape.size,
            color=shape.color,
            ha=_ALIGN[shape.anchor],
            va="baseline",
            weight="bold" if shape.bold else "normal",
            style="italic" if shape.italic else "normal",
            parse_math=False,  # what users name is text
        )
    else:
        from matplotlib.patches import PathPatch

        outline = PathPatch(Outline(list(shape.points)), fill=False, edgecolor=theme.EDGE)
        axes.add_patch(outline)
