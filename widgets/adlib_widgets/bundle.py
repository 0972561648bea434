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
# What a reader needs and a browser does not. Only whole lines, so that no text in quotes is hit;
# a text over several lines, which none of the scripts has, would lose its indentation.
_LINE_COMMENT = re.compile(r"^[ \t]*//.*\n", re.MULTILINE)
_BLOCK_COMMENT = re.compile(r"^[ \t]*/\*[\s\S]*?\*/[ \t]*\n", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


_TOP = re.compile(r"^(?=(?:export )?(?:async )?(?:function|const|let|class) )", re.MULTILINE)
_NAMES = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)")


@cache
def script(name: str) -> str:
    """The script of the view ``name`` as one module, whose default export renders it."""
    own = _source(name)
    parts, seen = [], {name}
    _collect(own, seen, parts)
    needed = _needed(_packed(_IMPORT.sub("", own)), "\n".join(parts))
    return needed + _packed(_IMPORT.sub("", own))


def _source(name: str) -> str:
    return (_HERE / "js" / f"{name}.js").read_text(encoding="utf-8")


def _collect(text: str, seen: set[str], parts: list[str]) -> None:
    """Append what ``text`` imports, each file once and after what it imports itself."""
    for other in _IMPORTED.findall(text):
        if other not in seen:
            seen.add(other)
            source = _source(other)
            _collect(source, seen, parts)
            parts.append(_EXPORT.sub("", _IMPORT.sub("", source)))


def _needed(reader: str, library: str) -> str:
    """What the reader's text names of a library's top-level declarations, and what these name."""
    pieces = [piece for piece in _TOP.split(_without_comments(library)) if piece.strip()]
    names = [_NAMES.match(piece) for piece in pieces]
    kept = [name is None for name in names]  # what declares nothing is there for its effect
    reached = set(re.findall(r"[\w$]+", reader))
    changed = True
    while changed:
        changed = False
        for i, (piece, name) in enumerate(zip(pieces, names, strict=True)):
            if not kept[i] and name is not None and name[1] in reached:
                kept[i] = changed = True
                reached.update(re.findall(r"[\w$]+", piece))
    return _packed("".join(piece for piece, keep in zip(pieces, kept, strict=True) if keep))


def _packed(text: str) -> str:
    """The script without comments on lines of their own, indentation and empty lines."""
    return re.sub(r"\n{2,}", "\n", _INDENT.sub("", _without_comments(text))).lstrip("\n")


def _without_comments(text: str) -> str:
    return _LINE_COMMENT.sub("", _BLOCK_COMMENT.sub("", text))


@cache
def style(name: str) -> str:
    """The style sheet of the view ``name``, after the one that all views share."""
    own = _HERE / "css" / f"{name}.css"
    sheets = [_HERE / "css" / "common.css", *([own] if own.exists() else [])]
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
