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
    ],
)  # fmt: skip
def test_options_are_completed(ipython, text, found):
    assert found <= completions(ipython, text)


def test_other_lines_are_left_alone(ipython):
    assert not completions(ipython, "%timeit --n") & {"%timeit --number"}
