"""Tab completion of options."""

import pytest


def completions(ipython, text: str) -> set[str]:
    line = text.split("\n")[-1]
    result = ipython.shell.Completer.completions(text, len(text))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # IPython calls its own completions provisional
        return {text[: item.start] + item.text for item in result} if line else set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%adtime --n", {"%adtime --number"}),
        ("%adtime -n 3 --re", {"%adtime -n 3 --repeat"}),
        ("%jaxpr --", {"%jaxpr --graph", "%jaxpr --text", "%jaxpr --depth", "%jaxpr --output",
                       "%jaxpr --help"}),
        ("%%grad x --c", {"%%grad x --check"}),
        ("%grad --h", {"%grad --hessian", "%grad --help"}),
        ("%addevice ", {"%addevice cpu", "%addevice gpu"}),
        ("%adlib jv", {"%adlib jvp"}),
    ],
)  # fmt: skip
def test_options_are_completed(ipython, text, found):
    assert found <= completions(ipython, text)


def test_other_lines_are_left_alone(ipython):
    assert not completions(ipython, "%timeit --n") & {"%timeit --number"}


def test_names_of_variables_and_exercises_are_completed(ipython):
    ipython.run("import numpy as np\nfrom adlib_kernel import exercise")
    ipython.run("alpha, album, _alone = 1.0, np.ones(2), 2.0\ndef almost(x): pass")
    assert completions(ipython, "%%grad al") == {"%%grad alpha", "%%grad album"}
    assert "%%vjp alpha album" in completions(ipython, "%%vjp alpha al")
    ipython.run("exercise('slope_of_sine', 1.0)")
    assert "%%check slope_of_sine" in completions(ipython, "%%check slo")
