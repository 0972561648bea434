"""What a user sees of an error, in a shell."""

import re

import pytest

import adlib

FUNCTION = """
def f(x):
    y = jnp.sin(x)
    return y if y > 0 else -y
"""


@pytest.fixture
def shell(ipython):
    ipython.run("import adlib, adlib.numpy as jnp")
    ipython.run(FUNCTION)
    yield ipython
    adlib.config.update("jax_traceback_filtering", "auto")


def frames(shown: str) -> list[str]:
    return re.findall(r"^(?:File|Cell) .*$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "cell", ["adlib.jit(f)(1.0)", "%jaxpr f(1.0)", "adlib.grad(adlib.jit(f))(1.)"]
)
def test_only_the_users_lines_are_shown(shell, cell):
    kind, shown = shell.error(cell)
    assert kind == "TracerBoolConversionError"
    assert len(frames(shown)) == 2 and all(frame.startswith("Cell") for frame in frames(shown))
    assert "----> 3     return y if y > 0 else -y" in shown
    assert re.search(
        r"^\[adlib's own \d+ frames folded away; to see them: "
        r'adlib.config.update\("jax_traceback_filtering", "off"\)\]$',
        shown,
        re.MULTILINE,
    )


def test_one_switch_shows_everything(shell):
    shell.run('adlib.config.update("jax_traceback_filtering", "off")')
    _, shown = shell.error("adlib.jit(f)(1.0)")
    assert len(frames(shown)) > 4 and "folded away" not in shown
    shell.run('adlib.config.update("jax_traceback_filtering", "auto")')
    _, shown = shell.error("adlib.jit(f)(1.0)")
    assert len(frames(shown)) == 2


def test_errors_that_have_nothing_to_do_with_adlib_are_shown_as_ever(shell):
    _, shown = shell.error("1 / 0")
    assert "ZeroDivisionError: division by zero" in shown and "folded" not in shown
    kind, shown = shell.error("1 +")
    assert kind == "SyntaxError" and "invalid syntax" in shown


def test_errors_that_led_to_others_are_folded_too(shell):
    shell.run("def g():\n    try:\n        adlib.jit(f)(1.0)\n    except TypeError as e:\n"
              "        raise ValueError('later') from e")  # fmt: skip
    _, shown = shell.error("g()")
    assert "direct cause" in shown and len(frames(shown)) == 4
    assert all(frame.startswith("Cell") for frame in frames(shown))


def test_tb_shows_the_last_error_folded(shell):
    shell.error("adlib.jit(f)(1.0)")
    shell.run("%tb")
    assert len(frames(shell.printed)) <= 2


def test_unloading_gives_the_shells_own_tracebacks_back(shell):
    assert "showtraceback" in vars(shell.shell)
    shell.run("%unload_ext adlib_kernel")
    assert "showtraceback" not in vars(shell.shell)
    _, shown = shell.error("adlib.jit(f)(1.0)")
    assert len(frames(shown)) > 4
    shell.run("%load_ext adlib_kernel")
    shell.run("%reload_ext adlib_kernel")
    assert not hasattr(shell.shell.showtraceback.adlib_original, "adlib_original")
