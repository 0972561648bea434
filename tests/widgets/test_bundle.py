"""The browser's side: one module per view, small, whole, and without anything from elsewhere."""

import re
from pathlib import Path

import pytest

import adlib_widgets
from adlib_widgets import bundle

HERE = Path(adlib_widgets.__file__).parent
SOURCES = sorted((HERE / "js").glob("*.js"))
VIEWS = [path.stem for path in SOURCES if "export default" in path.read_text(encoding="utf-8")]


def test_there_are_views():
    assert "flow" in VIEWS and "common" not in VIEWS


@pytest.mark.parametrize("name", VIEWS)
def test_every_script_is_small(name):
    size = len(bundle.script(name).encode())
    assert size < bundle.MOST_BYTES, f"{name}: {size} bytes; every widget carries them"
    assert len(bundle.style(name).encode()) < bundle.MOST_BYTES / 2


def declared(name, seen):
    """Top-level names of a script and of what it imports."""
    text = (HERE / "js" / f"{name}.js").read_text(encoding="utf-8")
    pattern = r"^(?:export )?(?:async )?(?:function|const|class|let) (\w+)"
    found = re.findall(pattern, text, re.MULTILINE)
    for other in re.findall(r'^import .*?"\./(\w+)\.js";$', text, re.MULTILINE | re.DOTALL):
        if other not in seen:
            seen.add(other)
            found += declared(other, seen)
    return found


@pytest.mark.parametrize("name", VIEWS)
def test_every_script_is_one_module(name):
    text = bundle.script(name)
    assert not re.search(r"^import\b", text, re.MULTILINE)
    assert len(re.findall(r"^export default\b", text, re.MULTILINE)) == 1
    names = declared(name, {name})
    twice = {word for word in names if names.count(word) > 1}
    assert not twice, f"declared in two of the joined files: {twice}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_script_writes_markup_or_leaves_the_page(path):
    text = path.read_text(encoding="utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in text
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "import(", "new Function"):
        assert word not in text
    links = set(re.findall(r"https?://[^\s\"'`]*", text))
    assert links <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}


@pytest.mark.parametrize("path", sorted((HERE / "css").glob("*.css")), ids=lambda path: path.stem)
def test_no_style_sheet_leaves_the_page_or_the_view(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "@import" not in text and "url(" not in text
    outside = re.sub(r"@(media|container|supports)[^{]*\{|@keyframes[^{]*\{[^@]*?\}\s*\}", "", text)
    for selectors in re.findall(r"([^{}]+)\{[^{}]*\}", outside):
        for selector in re.split(r",(?![^(]*\))", selectors):
            own = ".adlib-" in selector or f".{path.stem}-" in selector
            assert own, f"reaches beyond the view: {selector.strip()}"


def test_what_a_script_imports_stands_before_it_once(tmp_path, monkeypatch):
    (tmp_path / "js").mkdir()
    files = {
        "base": "// why\nexport const one = 1;\nexport const unread = 0;\n",
        "middle": 'import { one } from "./base.js";\n'
        "export function two() {\n  return one + 1;\n}\n",
        "view": 'import { one } from "./base.js";\nimport { two } from "./middle.js";\n'
        "/**\n * What it does.\n */\nexport default { render() { return one + two(); } };\n",
    }
    for name, text in files.items():
        (tmp_path / "js" / f"{name}.js").write_text(text, encoding="utf-8")
    monkeypatch.setattr(bundle, "_HERE", tmp_path)
    assert bundle.script.__wrapped__("view") == (
        "const one = 1;\nfunction two() {\nreturn one + 1;\n}\n"
        "export default { render() { return one + two(); } };\n"
    )


def test_packing_leaves_texts_alone():
    line = 'const a = "// no comment"; // /* either */\n'
    assert bundle._packed(line) == line
    assert bundle._packed("  // gone\n\n\n  /* gone\n  too */\n  stays();\n") == "stays();\n"
