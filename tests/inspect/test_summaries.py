"""Summaries of arrays, and records as JSON."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib.inspect.summaries import number_text, summarize, to_json


def test_small_arrays_are_kept_whole_and_large_ones_never():
    assert summarize(jnp.arange(16.0)).values == tuple(map(float, range(16)))
    large = summarize(jnp.arange(17.0))
    assert large.values is None and (large.min, large.max, large.mean) == (0.0, 16.0, 8.0)


def test_a_large_array_leaves_a_picture_of_at_most_eight_rows_of_sixteen():
    summary = summarize(jnp.ones((100, 3, 50)))
    assert len(summary.preview) == 8 and {len(row) for row in summary.preview} == {16}


def test_statistics_are_of_the_finite_entries():
    summary = summarize(jnp.array([1.0, np.nan, np.inf, 3.0, -np.inf]))
    assert (summary.finite, summary.nans, summary.infs) == (2, 1, 2)
    assert (summary.min, summary.max, summary.mean) == (1.0, 3.0, 2.0)
    assert summary.text() == "1 … 3, mean 2, 1 nan, 2 inf"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (np.int32(3), "3"),
        (np.zeros((2, 3)), "all 0"),
        (np.zeros((0, 3)), "[]"),
        (1 + 2j, "1+2j"),
        (np.array([1.0, 2.0]), "[1, 2]"),
    ],
)
def test_texts(value, text):
    assert summarize(jnp.asarray(value)).text() == text


def test_keys_and_small_floats_have_summaries():
    assert summarize(adlib.random.key(0)).min is None
    assert summarize(jnp.ones(3, jnp.bfloat16)).mean == 1.0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (-2.5, "−2.5"), (1e-7, "1e−7"), (-0.0, "0"), (12345678, "12345678")],
)
def test_numbers(value, text):
    assert number_text(value) == text


def test_json_has_no_numbers_that_json_lacks():
    @dataclass(frozen=True)
    class Record:
        value: float
        parts: tuple

    made = to_json(Record(float("nan"), (float("inf"), 1, None, "a")))
    assert made == {"value": "nan", "parts": ["inf", 1, None, "a"]}
    json.dumps(made, allow_nan=False)
