"""The public names: ``tests/surface.txt`` lists them by namespace, and all of them are there.

``docs/differences.md`` names those that are left out on purpose; the README gives the count.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def surface() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (ROOT / "tests" / "surface.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            names = found.setdefault(line.strip("[]"), [])
        else:
            names.extend(line.split())
    return found


SURFACE = surface()


@pytest.mark.parametrize("namespace", SURFACE)
def test_every_name_is_there(namespace):
    module = importlib.import_module(namespace)
    assert [name for name in SURFACE[namespace] if not hasattr(module, name)] == []


@pytest.mark.parametrize("namespace", SURFACE)
def test_every_function_and_class_says_what_it_does(namespace):
    module = importlib.import_module(namespace)
    silent = [
        name
        for name in SURFACE[namespace]
        if (inspect.isfunction(value := getattr(module, name)) or inspect.isclass(value))
        and not (value.__doc__ or "").strip()
    ]
    assert silent == []


def table() -> str:
    """The coverage table of the README."""
    total = sum(map(len, SURFACE.values()))
    groups: dict[str, int] = {}
    for namespace, names in SURFACE.items():
        parts = namespace.split(".")
        group = ".".join(parts[:2]) if len(parts) > 1 else namespace
        groups[group] = groups.get(group, 0) + len(names)
    large = {group: count for group, count in groups.items() if count >= 20}
    rows = [f"| `{group}` | {count} |" for group, count in sorted(large.items())]
    rest = total - sum(large.values())
    rows.append(f"| the rest, from `adlib.debug` to `adlib.tree` | {rest} |")
    return "\n".join(
        ["| namespace | public names |", "|---|---|", *rows, f"| together | {total} |"]
    )


def test_the_readme_gives_the_count():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- surface -->\n(.*?)\n<!-- /surface -->", text, re.DOTALL)
    assert found is not None, "README.md has no coverage table"
    assert found.group(1) == table()
