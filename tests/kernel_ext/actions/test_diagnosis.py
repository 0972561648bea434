"""What is wrong with numbers."""

import numpy as np
import pytest

from adlib_kernel.actions.diagnosis import Closeness, Sample, diagnose

POINTS = (0.5, 1.5, -2.0, 3.0)
CLOSE = Closeness()


def scalars(got, wanted, **terms):
    return [
        Sample(
            np.array(got(x)),
            np.array(wanted(x)),
            {"x": np.array(x)},
            {name: np.array(term(x)) for name, term in terms.items()},
        )
        for x in POINTS
    ]


@pytest.mark.parametrize(
    ("got", "message"),
    [
        (lambda x: x**3 + 2.0, ""),
        (lambda x: (x**3 + 2.0) * (1 + 1e-6), ""),
        (lambda x: -(x**3) - 2.0, "the sign is wrong"),
        (lambda x: 3 * (x**3 + 2.0), "it is too large by the factor 3.0"),
        (lambda x: (x**3 + 2.0) / 7, "it is too small by the factor 7.0"),
        (lambda x: -2 * (x**3 + 2.0), "the sign is wrong, and it is too large by the factor 2.0"),
        (lambda x: x**3 + 3.5, "it is off by the constant 1.5 everywhere"),
        (lambda x: (x**3 + 2.0) / x, "a factor x is missing"),
        (lambda x: -(x**3 + 2.0) / x, "a factor x is missing, and the sign is wrong"),
        (lambda x: (x**3 + 2.0) * x, "there is a factor x too many"),
        (lambda x: x**3 + 2.0 - x, "the term x is missing"),
        (lambda x: x**3 + 2.0 + 2 * x, "there is a term 2·x too many"),
        (lambda x: np.nan, "there are NaN entries at x = 0.5"),
        (lambda x: np.inf, "there are infinite entries at x = 0.5"),
        (np.cos, "it gives 0.877583 at x = 0.5, which is not right"),
        (
            lambda x: x**3 + 2.0 if x > 0 else 0.0,
            "it gives 0.0 at x = -2.0, which is not right, though right at 3 of 4 points",
        ),
    ],
)
def test_scalar_functions(got, message):
    assert diagnose(scalars(got, lambda x: x**3 + 2.0), CLOSE) == message


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        (0.0, "the term sin is missing"),
        (-1.0, "the term sin has the wrong sign"),
        (2.0, "the term sin is there twice, or does not belong there as it is"),
        (0.5, "the term sin is half of what it ought to be"),
    ],
)
def test_declared_terms(amount, message):
    samples = scalars(
        lambda x: x + amount * np.sin(x), lambda x: x + np.sin(x), sin=np.sin, x=lambda x: x
    )
    assert diagnose(samples, CLOSE) == message


def one(got, wanted):
    return [Sample(np.array(got), np.array(wanted), {}, {})]


MATRIX = np.arange(6.0).reshape(2, 3)
SQUARE = np.arange(9.0).reshape(3, 3)


@pytest.mark.parametrize(
    ("got", "wanted", "message"),
    [
        (MATRIX.T, MATRIX, "it is transposed; apart from that it is right"),
        (
            MATRIX.T + 1,
            MATRIX,
            "the shape is (3, 2), transposed against the wanted (2, 3)",
        ),
        (SQUARE.T, SQUARE, "it is transposed"),
        (-SQUARE.T, SQUARE, "it is transposed, and the sign is wrong"),
        (
            [5.0],
            5.0,
            "the shape is (1,), and () is wanted: a number is wanted, not an array with one entry "
            "in it",
        ),
        (
            [2.0, 3.0],
            5.0,
            "the shape is (2,), and () is wanted; the sum of the entries would be right",
        ),
        (
            5.0,
            [5.0, 5.0],
            "the shape is (), and (2,) is wanted: one number came where an array is wanted",
        ),
        (MATRIX.ravel(), MATRIX, "the shape is (6,), and (2, 3) is wanted; the entries are right"),
        ([1 + 2j, 3 - 1j], [1 - 2j, 3 + 1j], "it is the complex conjugate of what is wanted"),
        ([3.0, 7.0, 1.0], [1.0, 7.0, 3.0], "the entries are in reverse order"),
        (
            [7.0, 3.0, 1.0],
            [1.0, 7.0, 3.0],
            "the entries are the right ones in another order",
        ),
        ([1.0, 2.0, 4.0], [1.0, 2.0, 3.0], "2 of 3 entries are right, and entry [2] is not"),
        (10.0, 5.0, "it is too large by the factor 2.0"),
        # one number is always a multiple of another, and a constant away from it
        (5.7, 5.0, "it gives 5.7, which is not right"),
        (np.zeros(2), np.ones(2), "it gives [0.0, 0.0], which is not right"),
        (np.zeros(0), np.zeros(0), ""),
        ([np.nan], [np.nan], ""),
    ],
)
def test_single_arrays(got, wanted, message):
    assert diagnose(one(got, wanted), CLOSE) == message
