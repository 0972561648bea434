"""Folding of tracebacks, as a function of tracebacks."""

import sys

import pytest

import adlib
import adlib.numpy as jnp
from adlib_kernel.actions import tracebacks


def raised(function):
    """The error of a call, with its traceback from this file on."""
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def names(traceback):
    found = []
    while traceback is not None:
        found.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    return found


def user_function(x):
    y = jnp.sin(x)
    raise KeyError("mine")
    return y


def test_frames_between_the_users_are_folded():
    error = raised(lambda: adlib.grad(user_function)(1.0))
    shown, count = tracebacks.fold(error.__traceback__)
    assert names(shown) == ["raised", "<lambda>", "user_function"]
    assert count == len(names(error.__traceback__)) - 3 > 0


def test_frames_at_the_end_are_folded():
    error = raised(lambda: jnp.dot(jnp.ones(3), jnp.ones(4)))
    shown, count = tracebacks.fold(error.__traceback__)
    assert names(shown) == ["raised", "<lambda>"] and count > 0


def test_array_libraries_are_folded_below_adlib_only():
    np = sys.modules["numpy"]
    direct = raised(lambda: np.linalg.inv(np.ones((2, 3))))
    assert tracebacks.fold(direct.__traceback__) == (direct.__traceback__, 0)


def test_a_traceback_without_our_frames_stays_as_it_is():
    error = raised(lambda: 1 / 0)
    assert tracebacks.fold(error.__traceback__) == (error.__traceback__, 0)
    assert tracebacks.fold(None) == (None, 0)


def test_where_nothing_would_remain_nothing_is_folded():
    error = raised(lambda: adlib.grad(user_function)(1.0))
    root = __file__.rsplit("/", 1)[0]
    assert tracebacks.fold(error.__traceback__, (root, *tracebacks.ROOTS))[1] == 0


def test_errors_are_as_they_were_afterwards():
    def outer():
        try:
            adlib.grad(user_function)(1.0)
        except KeyError as error:
            raise ValueError("later") from error

    error = raised(outer)
    before = names(error.__cause__.__traceback__)
    with tracebacks.folded(error, error.__traceback__):
        assert names(error.__cause__.__traceback__) == ["outer", "user_function"]
        assert error.__notes__[0].startswith("[adlib's own ")
        assert tracebacks.SWITCH in error.__notes__[0]
    assert names(error.__cause__.__traceback__) == before
    assert not hasattr(error, "__notes__")


def test_errors_are_as_they_were_after_an_error_in_the_block():
    error = raised(lambda: adlib.grad(user_function)(1.0))
    error.add_note("the user's own")
    with pytest.raises(OSError), tracebacks.folded(error, error.__traceback__):
        raise OSError
    assert error.__notes__ == ["the user's own"]


def test_the_quiet_form_says_nothing():
    error = raised(lambda: adlib.grad(user_function)(1.0))
    adlib.config.update("jax_traceback_filtering", "quiet_remove_frames")
    try:
        with tracebacks.folded(error, error.__traceback__) as shown:
            assert names(shown)[-1] == "user_function" and not hasattr(error, "__notes__")
    finally:
        adlib.config.update("jax_traceback_filtering", "auto")


def test_the_constructors_of_our_records_are_folded(tmp_path):
    ours: dict = {}
    source = "def make(constructor, *args):\n    return constructor(*args)\n"
    exec(compile(source, str(tmp_path / "ours.py"), "exec"), ours)
    written: dict = {}  # as Python writes them for named tuples and dataclasses
    exec("def __init__(self):\n    raise KeyError('stop')\ndef f(x):\n    raise KeyError", written)
    error = raised(lambda: ours["make"](written["__init__"], None))
    shown, count = tracebacks.fold(error.__traceback__, [str(tmp_path)])
    assert names(shown) == ["raised", "<lambda>"] and count == 2
    # but not a user's function that has no file either
    error = raised(lambda: ours["make"](written["f"], None))
    assert names(tracebacks.fold(error.__traceback__, [str(tmp_path)])[0])[-1] == "f"
