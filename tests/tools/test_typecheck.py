"""tools/typecheck.py: its exceptions list only shrinks."""

import importlib.util
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
spec = importlib.util.spec_from_file_location("typecheck", ROOT / "tools" / "typecheck.py")
typecheck = importlib.util.module_from_spec(spec)
spec.loader.exec_module(typecheck)

ERROR = (
    "adlib/core/a.py:3: error: Missing return type  [no-untyped-def]\nadlib/core/a.py:3: note: x"
)


def test_an_error_in_a_file_that_is_not_listed_is_a_problem():
    assert typecheck.verdict(ERROR, set()) == [ERROR.splitlines()[0]]


def test_an_error_in_a_listed_file_is_not():
    assert typecheck.verdict(ERROR, {"adlib/core/a.py"}) == []


def test_a_listed_file_without_errors_must_leave_the_list():
    assert typecheck.verdict("", {"adlib/core/a.py"}) == [
        "adlib/core/a.py passes now: take it off the exceptions in pyproject.toml"
    ]


def test_listed_files_exist_once_and_in_order():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    exceptions = config["tool"]["adlib"]["typecheck"]["exceptions"]
    assert exceptions == sorted(set(exceptions))
    assert all((ROOT / file).is_file() for file in exceptions)
