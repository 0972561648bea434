"""tools/fit_math_tables.py: it makes the tables that are there, and its polynomials are good."""

import importlib.util
from pathlib import Path

import pytest

mpmath = pytest.importorskip("mpmath")

ROOT = Path(__file__).resolve().parent.parent.parent
spec = importlib.util.spec_from_file_location("fit", ROOT / "tools" / "fit_math_tables.py")
fit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fit)


def test_the_tables_are_those_that_the_tool_makes(capsys):
    fit.main()
    made = capsys.readouterr().out
    found = (ROOT / "adlib" / "compile" / "mathfns" / "tables.py").read_text(encoding="utf-8")
    assert made == found


def test_a_polynomial_goes_through_its_function():
    coefficients = fit.fit(mpmath.exp, -0.5, 0.5, 8)
    for x in (-0.5, -0.1, 0.0, 0.3, 0.5):
        value = sum(c * mpmath.mpf(x) ** k for k, c in enumerate(coefficients))
        assert abs(value - mpmath.exp(x)) < 1e-10


def test_the_inverse_of_erf_is_one():
    for w in (0.01, 1.0, 6.0, 30.0):
        x = mpmath.sqrt(1 - mpmath.exp(-w))
        u = fit.erf_inv_of(mpmath.mpf(w)) * x
        assert abs(mpmath.erf(u) - x) < mpmath.mpf(10) ** -30
