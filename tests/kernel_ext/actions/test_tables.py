"""Texts of numbers, arrays and times."""

import ml_dtypes
import numpy as np
import pytest

from adlib_kernel.actions.tables import (
    array_text,
    html_table,
    number_text,
    seconds_text,
    text_table,
    type_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (-2.0, "-2.0"),
        (1 / 3, "0.333333"),
        (1e20, "1e+20"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_numbers(value, text):
    assert number_text(value) == text


def test_arrays():
    assert array_text(np.float32(0.1)) == "0.1"
    assert array_text(np.array([[1, 2], [3, 4]])) == "[[1, 2], [3, 4]]"
    assert array_text(np.zeros((0, 3))) == "[]"
    assert array_text(np.ones(100)) == "100 entries, norm 10.0"
    assert array_text(np.array([1.5], dtype=ml_dtypes.bfloat16)) == "[1.5]"


def test_types():
    assert type_text(np.ones((2, 3), np.float32)) == "f32[2,3]"
    assert type_text(np.array(1, np.int32)) == "i32[]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.99999, "1.00 s"), (9.996e-3, "10.0 ms"), (99.96e-6, "100 µs"), (3e-10, "0.30 ns")],
)
def test_seconds(seconds, text):
    assert seconds_text(seconds) == text


def test_tables_align_and_escape():
    assert text_table([["x", "1"], ["long", "234"]], right=(1,)) == "x       1\nlong  234"
    assert "&lt;i&gt;" in html_table(["<i>"], [["<b>"]]) and "<b>" not in html_table(
        ["a"], [["<b>"]]
    )
