"""Options of magics: parsed from the front of the line, the rest of the line left as typed."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError


def parse(magic: Callable[..., Any], line: str) -> tuple[argparse.Namespace, str]:
    """The options of a magic made with ``magic_arguments``, and the raw text after them.

    A magic that takes an expression has one positional argument, ``rest`` with ``nargs="..."``.
    Splitting an expression at blanks and joining it again would change its literals, so the text
    after the options is a slice of the line.

    Raises:
      UsageError: an option that there is not, or one without its value; with what was
        probably meant, and where the help is.
    """
    parser = magic.parser  # type: ignore[attr-defined]
    words = list(re.finditer(r"\S+", line))
    try:
        options = parser.parse_args([word.group() for word in words])
    except UsageError as error:
        raise UsageError(_explained(str(error), magic)) from None
    count = len(getattr(options, "rest", ()))
    rest = line[words[len(words) - count].start() :].rstrip() if count else ""
    return options, rest


def option_strings(magic: Callable[..., Any]) -> list[str]:
    """Every option of a magic, as typed: ``-n``, ``--number``, …"""
    actions = magic.parser._actions  # type: ignore[attr-defined]
    return [name for action in actions for name in action.option_strings]


def help_text(magic: Callable[..., Any]) -> str:
    """What ``-h`` prints."""
    return magic.parser.format_help().removeprefix("::").strip()  # type: ignore[attr-defined]


def stored_name(name: str | None) -> str | None:
    """The name given to ``-o``.

    Raises:
      UsageError: if it is not a Python name.
    """
    if name is not None and not name.isidentifier():
        raise UsageError(f"-o wants the name of a variable for the result; {name!r} is not a name.")
    return name


def _explained(message: str, magic: Callable[..., Any]) -> str:
    title = _title(magic)
    unknown = re.match(r"unrecognized arguments: (\S+)", message)
    if unknown:
        given = unknown.group(1).split("=")[0]
        near = difflib.get_close_matches(given, option_strings(magic), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        message = f"there is no option {given}.{hint}"
    else:
        message = message.removesuffix(".") + "."
    return f"{title}: {message} {title} -h lists the options."


def _title(magic: Callable[..., Any]) -> str:
    usage = re.search(r"%+\w+", magic.parser.format_usage())  # type: ignore[attr-defined]
    return usage.group() if usage else magic.__name__
