"""Where in the user's code something happened."""

import sys
from pathlib import Path

import adlib
import adlib.numpy as jnp
from adlib.base import source

HERE = Path(__file__).name


def line_of(text):
    """Number of the one line of this file that ends with the comment ``text``."""
    lines = Path(__file__).read_text().splitlines()
    (number,) = [i + 1 for i, line in enumerate(lines) if line.endswith(f"# {text}")]
    return number


def test_a_location_is_the_line_that_asked():
    place = source.user_location()  # asks
    assert place.line == line_of("asks")
    assert place.file_name == __file__
    assert place.function == "test_a_location_is_the_line_that_asked"
    assert place.text() == "place = source.user_location()  # asks"
    assert place.summary() == f"{HERE}:{place.line}"
    assert repr(place) == f"SourceLocation({HERE}:{place.line})"
    assert source.describe(place) == f"at {HERE}:{place.line}: {place.text()}"


def test_no_location_describes_as_nothing():
    assert source.describe(None) == ""


def test_a_line_without_source_is_named_alone():
    names = {"source": source}
    exec(compile("place = source.user_location()", "gone.py", "exec"), names)
    assert names["place"].text() == ""
    assert source.describe(names["place"]) == "at gone.py:1"


def test_our_own_frames_are_skipped():
    def f(x):
        return jnp.sum(jnp.tanh(x) ** 2)  # inside

    jaxpr = adlib.make_jaxpr(adlib.grad(f))(jnp.ones(3))
    lines = {eqn.source.line for eqn in jaxpr.eqns if eqn.source is not None}
    assert line_of("inside") in lines
    assert {eqn.source.file_name for eqn in jaxpr.eqns if eqn.source} == {__file__}


def test_contextlib_and_functools_frames_are_skipped():
    import functools

    @functools.lru_cache
    def cached():
        return source.user_location()  # cached

    assert functools.partial(cached)().line == line_of("cached")


def test_further_packages_can_be_counted_as_our_own(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_internal_roots", list(source._internal_roots))
    (tmp_path / "helper.py").write_text("def ask(f):\n    return f()\n")
    names = {}
    path = str(tmp_path / "helper.py")
    exec(compile(Path(path).read_text(), path, "exec"), names)
    assert names["ask"](source.user_location).file_name == path
    source.register_internal(str(tmp_path))
    assert names["ask"](source.user_location).file_name == __file__
    source._own_code.clear()


def test_here_ends_a_message():
    def fails():
        return source.here()

    # here() looks past its caller, which is a function of ours where it is used
    text = fails()  # caller
    assert text.startswith("\n  at ") and HERE in text


class Shell:
    """What IPython's shell offers for the names of cells."""

    class compile:
        @staticmethod
        def format_code_name(name):
            return ("Cell", "In[3]") if "ipykernel" in name else None


def test_cells_of_a_notebook_go_by_their_number(monkeypatch):
    class IPython:
        @staticmethod
        def get_ipython():
            return Shell()

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    names = {"source": source}
    exec(compile("place = source.user_location()", "/tmp/ipykernel_1/2.py", "exec"), names)
    assert names["place"].summary() == "In[3]:1"
    exec(compile("place = source.user_location()", "/home/me/model.py", "exec"), names)
    assert names["place"].summary() == "model.py:1"
