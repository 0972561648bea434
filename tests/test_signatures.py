"""Parameters of the public functions outside of ``adlib.numpy``: their names, order and kinds.

``signatures.txt`` has a line for each function; ``/x`` is positional only, ``=x`` keyword only.
What an implementation on several machines needs (shardings and the like) is left out of it.
"""

import importlib
import inspect
from pathlib import Path

import pytest

LINES = (Path(__file__).parent / "signatures.txt").read_text().splitlines()
MODULES = sorted({line.split(":")[0].rpartition(".")[0] for line in LINES})


def _function(path):
    module, _, name = f"adlib.{path}".rpartition(".")
    return getattr(importlib.import_module(module), name)


def _check(path, wanted):
    found = list(inspect.signature(_function(path)).parameters.values())
    names, kinds = [p.name for p in found], [p.kind for p in found]
    for place, text in enumerate(wanted):
        name = text.lstrip("/=*")
        if text.startswith("**"):
            assert inspect.Parameter.VAR_KEYWORD in kinds, f"{path} takes keywords"
        elif text.startswith("*"):
            assert inspect.Parameter.VAR_POSITIONAL in kinds, f"{path} takes arguments"
        elif text.startswith("/"):
            assert found[place].kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD, f"{path}: {name}"
        elif text.startswith("="):
            assert name in names, f"{path} has the parameter {name}"
        else:
            assert names[place : place + 1] == [name], f"{path}: {name} at {place}, not {names}"
            assert found[place].kind == inspect.Parameter.POSITIONAL_OR_KEYWORD, f"{path}: {name}"


@pytest.mark.parametrize("module", MODULES)
def test_parameters(module):
    for line in LINES:
        path, _, parameters = line.partition(": ")
        if path.rpartition(".")[0] == module:
            _check(path, parameters.split())
