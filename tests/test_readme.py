"""The README keeps its word: its cell prints what it says, its commands and links exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/magics.md"]
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d*(?:e[+-]?\d+)?")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_first_cell_prints_what_stands_below_it(run_python):
    (cell,), (expected,) = blocks("python"), blocks("text")
    printed = run_python(cell)
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", expected).split()
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (printed, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-5)


def test_the_order_of_the_page():
    picture, commands, cell, table = (
        README.index(mark) for mark in ("![", "make lab", "```python", "## What works")
    )
    assert picture < commands < cell < table


@pytest.mark.parametrize("page", PAGES)
def test_every_make_command_exists(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")
    used = set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE))
    assert used <= targets


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert missing == []


def test_the_names_in_the_table_exist(run_python):
    table = README[README.index("## What works") : README.index("| Not yet")]
    names = set(re.findall(r"`([a-z_]+)`", table)) - {"adlib_kernel", "adlib_widgets"}
    modules = "adlib, adlib.lax, adlib_widgets, adlib.custom_batching, adlib.custom_derivatives"
    homes = f"({modules})"
    check = f"import {modules}\n" + "".join(
        f"assert any(hasattr(m, {name!r}) for m in {homes}), {name!r}\n" for name in sorted(names)
    )
    run_python(check)


def test_ci_runs_what_the_readme_says():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands[-1] == "exec make test"
    assert "make test" in README
