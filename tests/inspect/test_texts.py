"""Short texts that are the same on every run."""

import enum
from typing import NamedTuple

import numpy as np
import pytest

from adlib.inspect.texts import constant_text, shorten, value_text


class Mode(enum.Enum):
    CLIP = 1


class Numbers(NamedTuple):
    offset_dims: tuple
    batch_dims: tuple


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (3, "3"),
        ("highest", "highest"),
        (np.dtype("int32"), "int32"),
        ((1, (2, None)), "(1, (2, None))"),
        ((1,), "(1,)"),
        (slice(1, None), "1:"),
        (slice(None, 4, 2), ":4:2"),
        (Mode.CLIP, "clip"),
        (Numbers((0,), ()), "offset_dims=(0,)"),
        (print, None),
        (object(), None),
        ((1, object()), None),
    ],
)
def test_values_of_parameters(value, text):
    assert value_text(value) == text


def test_constants_are_shown_when_small():
    assert constant_text(np.float32(2.5)) == "2.5"
    assert constant_text(np.eye(2)) == "[[1. 0.]  [0. 1.]]"
    assert constant_text(np.zeros(7)) == ""
    assert constant_text("not an array") == ""


def test_long_texts_end_in_an_ellipsis():
    assert shorten("x" * 10, 5) == "xxxx…"
