"""The table and the plot of times."""

import importlib

import pytest

from adlib_kernel.actions.timing_result import Timing, TimingResult, TimingRow, relative_spread


def timing(seconds: float, trace: float | None = None) -> Timing:
    return Timing(10 * seconds, (seconds,) * 3, 1, trace)


def result() -> TimingResult:
    rows = (
        TimingRow("f", timing(2e-6), timing(1e-6, 4e-6)),
        TimingRow("grad", timing(9e-6), timing(2.5e-6, 8e-6)),
        TimingRow("hessian", timing(9e-5), None),
    )
    return TimingResult("f(x)", rows)


def test_multiples_and_the_table():
    times = result()
    assert times.multiple("grad") == pytest.approx(4.5)
    assert times.multiple("grad", jitted=True) == pytest.approx(2.5)
    assert repr(times) == (
        "f(x): seconds per call, median of 3 repeats\n"
        "           eager                      jitted\n"
        "           first     then              trace    first     then\n"
        "f        20.0 µs  2.00 µs   1.0 × f  4.00 µs  10.0 µs  1.00 µs  1.0 × f\n"
        "grad     90.0 µs  9.00 µs   4.5 × f  8.00 µs  25.0 µs  2.50 µs  2.5 × f\n"
        "hessian   900 µs  90.0 µs  45.0 × f        –        –        –        –"
    )
    with pytest.raises(KeyError, match="no row 'vjp'; there are f, grad, hessian"):
        times["vjp"]


def test_different_numbers_of_repeats_are_given_as_a_range():
    rows = (TimingRow("f", timing(1.0), Timing(1.0, (1.0,) * 7, 1)),)
    assert repr(TimingResult("g()", rows)).startswith("g(): seconds per call, median of 3 to 7")


def test_the_spread_is_that_of_the_middle_half():
    assert relative_spread([1.0]) == 0.0
    assert relative_spread([1.0] * 9 + [50.0]) == 0.0


def test_the_plot_has_a_bar_for_each_time():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    axes = result().plot()
    try:
        assert [bar.get_width() for bars in axes.containers for bar in bars] == [
            2e-6, 9e-6, 9e-5, 1e-6, 2.5e-6,
        ]  # fmt: skip
        assert [text.get_text().strip() for text in axes.texts] == [
            "1.0 × f", "4.5 × f", "45.0 × f", "1.0 × f", "2.5 × f",
        ]  # fmt: skip
        assert [label.get_text() for label in axes.get_yticklabels()] == ["f", "grad", "hessian"]
        assert result().plot(axes) is axes
    finally:
        importlib.import_module("matplotlib.pyplot").close(axes.figure)


def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match="needs matplotlib, which is not installed.*\n.*pip inst"):
        result().plot()
