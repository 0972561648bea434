"""show_memory: the step plot, the table of residuals, and the best checkpoint."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect import CheckpointRecord, MemoryRecord, MomentRecord, ResidualRecord
from adlib_widgets import MemoryView, show_memory

SPACE = "{http://www.w3.org/2000/svg}"


def chain(x):
    for _ in range(6):
        x = jnp.sin(x)
    return x.sum()


@pytest.fixture(scope="module")
def view():
    return show_memory(chain)(np.ones(1024))


def test_the_text_says_peaks_and_lines(view):
    first, second, row = str(view).splitlines()
    assert first.startswith("Reverse mode needs 36 KiB at its peak, 3 times the 12 KiB")
    assert "equations twice." in first and second == "residuals by source line"
    assert row.split()[:2] == ["24", "KiB"] and "x = jnp.sin(x)" in row


def test_the_picture_has_both_sweeps_and_the_peak(view):
    shown = [element.text for element in ElementTree.fromstring(view.svg).iter(SPACE + "text")]
    assert "forward sweep →" in shown and "reverse sweep →" in shown
    assert "peak 36 KiB" in shown and shown.count("sin_3") == 2
    assert any(text.startswith("Best: up to sin_") for text in shown)


def test_the_html_needs_no_trust(view):
    html = view._repr_mimebundle_()["text/html"]
    assert "data:image/svg+xml;base64," in html and html.count("<table") == 3
    for word in ("<script", "<style", "<svg", " onload"):
        assert word not in html
    assert html == show_memory(chain)(np.ones(1024)).html


def test_no_checkpoint_is_said(view):
    assert "No single checkpoint lowers the peak." in str(show_memory(lambda x: x * 2.0)(1.0))


def test_programs_without_equations_are_drawn():
    ElementTree.fromstring(show_memory(lambda x: x)(1.0).svg)


def test_long_programs_lose_their_labels_not_their_plot():
    def long(x):
        for _ in range(300):
            x = jnp.sin(x)
        return x

    shown = show_memory(long)(np.ones(10))
    assert "sin_17<" not in shown.svg and "… 240 more" in shown.html


def test_what_the_function_raises_comes_through():
    with pytest.raises(ZeroDivisionError):
        show_memory(lambda x: 1 / 0)(1.0)


def test_texts_that_want_to_be_markup_stay_texts(nasty):
    record = MemoryRecord(
        steps=((nasty, nasty, nasty),),
        moments=(MomentRecord(0, "forward", 8, 4, 4), MomentRecord(0, "reverse", 8, 4, 0)),
        residuals=(ResidualRecord(nasty, nasty, 4, nasty, nasty, nasty, (nasty,), True),),
        argument_bytes=4,
        peak_bytes=8,
        primal_peak_bytes=4,
        checkpoints=(CheckpointRecord(1, nasty, nasty, nasty, 4, 0),),
    )
    hostile = MemoryView(record)
    ElementTree.fromstring(hostile.svg)
    assert "<script" not in hostile.html and "<script" not in hostile.svg


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.txt"])
def test_saving(tmp_path, view, name):
    assert view.save(tmp_path / name).read_text(encoding="utf-8")


def test_the_second_run_of_a_checkpoint_stands_in_the_reverse_sweep():
    shown = show_memory(lambda x: adlib.checkpoint(chain)(x) * 2.0)(np.ones(100))
    assert shown.svg.count("#e9e1f8") == 6 and "#e9e1f8" not in show_memory(chain)(np.ones(9)).svg
    assert "Its own checkpoints run 6 of 8 equations twice." in str(shown)


def test_a_trial_is_a_record(view):
    trial = view.trial(3)
    assert trial.peak_bytes < view.record.peak_bytes and trial.recomputed == 3
    with pytest.raises(ValueError, match="has only a record"):
        MemoryView(view.record).trial(3)
