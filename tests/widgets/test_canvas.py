"""The sheet that the plots are drawn on."""

import xml.etree.ElementTree as ElementTree

from adlib_widgets.canvas import Canvas, bytes_text, heat_color


def test_a_sheet_is_a_complete_document(nasty):
    canvas = Canvas()
    assert canvas.text(10, 20, "abc", size=10) > 10
    canvas.text(0, 0, nasty, anchor="end", turn=-60, bold=True)
    canvas.rect(0, 0, 5, 5, "#fff", stroke="#000", radius=2, tip=nasty)
    canvas.path("M0 0L1 1", stroke="#000", dash="4 3", opacity=0.5)
    text = canvas.document(100, 50, title=nasty, description=nasty)
    root = ElementTree.fromstring(text)
    assert root.get("width") == "128" and "<script" not in text


def test_sizes_have_three_digits_and_a_unit():
    assert [bytes_text(n) for n in (0, 999, 1000, 2**20, 1023 * 2**20)] == [
        "0 B",
        "999 B",
        "0.977 KiB",
        "1 MiB",
        "0.999 GiB",
    ]


def test_heat_is_symmetric_around_white_and_marks_nan():
    assert heat_color(0.0, 2.0) == "#ffffff" and heat_color(float("nan"), 1.0) == "#111111"
    assert heat_color(5.0, 2.0) == heat_color(2.0, 2.0) != heat_color(-2.0, 2.0)
    assert heat_color(float("inf"), 0.0) == heat_color(2.0, 2.0)
