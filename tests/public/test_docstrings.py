"""Every public function and class of ours has a docstring with an example, and the example runs.

``pytest --doctest-modules`` finds the examples of functions where they are defined; here are those
of made functions too, and it is said whose docstring has none.
"""

import doctest
import importlib
import inspect

import pytest

import adlib
from tests.test_surface import SURFACE

FLAGS = doctest.NORMALIZE_WHITESPACE


def ours():
    """Public objects of adlib by their first name; names of NumPy's and typing's are left out."""
    found = {}
    for namespace, names in SURFACE.items():
        module = importlib.import_module(namespace)
        for name in names:
            value = getattr(module, name)
            made_here = str(getattr(value, "__module__", "")).startswith("adlib")
            partial = type(value).__name__ == "partial"
            if callable(value) and not inspect.ismodule(value) and (made_here or partial):
                found.setdefault(id(value), (f"{namespace}.{name}", value))
    return dict(found.values())


PUBLIC = ours()


def test_every_docstring_has_an_example():
    silent = [name for name, value in PUBLIC.items() if ">>> " not in (value.__doc__ or "")]
    assert silent == []


def test_every_docstring_starts_with_a_sentence():
    """One line of what, before anything else."""
    odd = [
        name
        for name, value in PUBLIC.items()
        if not (value.__doc__ or "").strip() or value.__doc__.strip().startswith((">>>", "Args"))
    ]
    assert odd == []


def is_written(value):
    """Whether the docstring stands in the source, where ``--doctest-modules`` finds it."""
    code = getattr(inspect.unwrap(value), "__code__", None)
    if code is not None:
        return value.__doc__ in code.co_consts
    return inspect.isclass(value) and not hasattr(value, "dtype")


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if not is_written(v)])
def test_made_examples(name):
    value = PUBLIC[name]
    names = {"adlib": adlib}
    test = doctest.DocTestParser().get_doctest(value.__doc__, names, name, None, None)
    complaints = []
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=complaints.append)
    assert not complaints, "".join(complaints)
