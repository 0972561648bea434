"""A scene as SVG text: the same bytes for the same scene, on every machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from adlib_widgets import theme
from adlib_widgets.layout import Point
from adlib_widgets.shapes import Curve, Rect, Scene, Shape, Stub, Text

_MARGIN = 14.0
_ARROW = 5.0

# XML has no way to write these, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    """Text that is safe inside of elements and attributes of SVG and HTML.

    >>> escaped('<script>"x"</script>')
    '&lt;script&gt;&quot;x&quot;&lt;/script&gt;'
    """
    return escape(_NOT_XML.sub("\ufffd", text), quote=True)


def scene_svg(scene: Scene, *, title: str, description: str) -> str:
    """The scene as a complete SVG document.

    Args:
      scene: what to draw.
      title: the picture's name, for readers who do not see it.
      description: what it shows, in words.
    """
    width, height = scene.width + 2 * _MARGIN, scene.height + 2 * _MARGIN
    size = f'width="{number(width)}" height="{number(height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {number(width)} {number(height)}" role="img" '
        f'font-family="{escaped(theme.FONT)}">',
        f"<title>{escaped(title)}</title>",
        f"<desc>{escaped(description)}</desc>",
        f'<rect x="0.5" y="0.5" width="{number(width - 1)}" height="{number(height - 1)}" '
        f'rx="6" fill="{theme.GROUND}" stroke="{theme.GROUND_EDGE}"/>',
        f'<g transform="translate({number(_MARGIN)} {number(_MARGIN)})">',
    ]
    lines.extend(_shape_svg(shape) for shape in scene.shapes)
    lines.append("</g></svg>")
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """A length with at most one decimal, and never ``-0``.

    >>> [number(x) for x in (3.0, 2.449, -0.01)]
    ['3', '2.4', '0']
    """
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _shape_svg(shape: Shape) -> str:
    if isinstance(shape, Rect):
        return _rect_svg(shape)
    if isinstance(shape, Text):
        return _text_svg(shape)
    if isinstance(shape, Stub):
        return _stub_svg(shape)
    return _curve_svg(shape)


def _rect_svg(rect: Rect) -> str:
    style = rect.style
    radius = min(style.radius, rect.height / 2)
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    return (
        f'<rect x="{number(rect.x)}" y="{number(rect.y)}" width="{number(rect.width)}" '
        f'height="{number(rect.height)}" rx="{number(radius)}" fill="{style.fill}" '
        f'stroke="{style.stroke}" stroke-width="{number(style.stroke_width)}"{dash}/>'
    )


def _text_svg(text: Text) -> str:
    extras = ""
    if text.bold:
        extras += ' font-weight="600"'
    if text.italic:
        extras += ' font-style="italic"'
    if text.anchor != "start":
        extras += f' text-anchor="{text.anchor}"'
    return (
        f'<text x="{number(text.x)}" y="{number(text.y)}" font-size="{number(text.size)}" '
        f'fill="{text.color}" xml:space="preserve"{extras}>{escaped(text.text)}</text>'
    )


def _stub_svg(stub: Stub) -> str:
    """A short line to a ring: a value that comes from elsewhere, or goes there."""
    step = 5.0 if stub.down else -5.0
    return (
        f'<path d="M{number(stub.x)} {number(stub.y)}v{number(step)}" fill="none" '
        f'stroke="{theme.EDGE}" stroke-width="1.3"/><circle cx="{number(stub.x)}" '
        f'cy="{number(stub.y + step * 1.4)}" r="2" fill="none" stroke="{theme.EDGE}"/>'
    )


def _curve_svg(curve: Curve) -> str:
    path, head = curve_paths(curve.points)
    return (
        f'<path d="{path}" fill="none" stroke="{theme.EDGE}" stroke-width="1.3"/>'
        f'<path d="{head}" fill="{theme.EDGE}"/>'
    )


def curve_paths(points: Sequence[Point]) -> tuple[str, str]:
    """The ``d`` of a link's line, and of the arrow head at its end."""
    (x, y), tip = points[0], points[-1]
    end = (tip[0], tip[1] - _ARROW)
    path = f"M{number(x)} {number(y)}" + "".join(_steps((*points[:-1], end)))
    head = (
        f"M{number(tip[0])} {number(tip[1])}l{number(-_ARROW / 1.6)} {number(-_ARROW - 1)}"
        f"h{number(_ARROW / 0.8)}z"
    )
    return path, head


def _steps(points: Sequence[Point]) -> list[str]:
    """Straight down where x stays, else an S-curve that leaves and arrives vertically."""
    steps = []
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if number(x0) == number(x1):
            steps.append(f"V{number(y1)}")
        else:
            middle = number((y0 + y1) / 2)
            steps.append(f"C{number(x0)} {middle} {number(x1)} {middle} {number(x1)} {number(y1)}")
    return steps
