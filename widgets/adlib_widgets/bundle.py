"""The browser's side of an interactive view, put together into one module and one style sheet.

A notebook gives every widget its whole script as one text, with nothing to import from. So each
view's script is joined with ``common.js`` here; both stay plain modules that can be read, linted
and tested as they are.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
MOST_BYTES = 60 * 1024  # every widget carries its script into the page

_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./[a-z_]+\.js";\n', re.MULTILINE)
_IMPORTED = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./([a-z_]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=function|const|class|let|async)", re.MULTILINE)


@cache
def script(name: str) -> str:
    """The script of the view ``name`` as one module, whose default export renders it."""
    text = (_HERE / "js" / f"{name}.js").read_text(encoding="utf-8")
    parts, seen = [], {name}
    _collect(text, seen, parts)
    return "\n".join([*parts, _IMPORT.sub("", text)])


def _collect(text: str, seen: set[str], parts: list[str]) -> None:
    """Append what ``text`` imports, each file once and after what it imports itself."""
    for other in _IMPORTED.findall(text):
        if other not in seen:
            seen.add(other)
            source = (_HERE / "js" / f"{other}.js").read_text(encoding="utf-8")
            _collect(source, seen, parts)
            parts.append(_EXPORT.sub("", _IMPORT.sub("", source)))


@cache
def style(name: str) -> str:
    """The style sheet of the view ``name``, after the one that all views share."""
    own = _HERE / "css" / f"{name}.css"
    sheets = [_HERE / "css" / "common.css", *([own] if own.exists() else [])]
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
