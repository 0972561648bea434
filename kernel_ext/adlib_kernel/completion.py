"""Tab completion of the magics' options, and of the names that can follow them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from adlib_kernel.options import option_strings


def option_matcher(
    magics: dict[str, Any], words: Callable[[str], Sequence[str]]
) -> Callable[[CompletionContext], Any]:
    """A matcher that completes ``%adtime --n`` to ``--number``, from the magics' own parsers.

    Args:
      magics: each magic by its name as typed, ``%jaxpr`` or ``%%grad``.
      words: for such a name, the words other than options that can follow it.
    """

    @context_matcher(identifier="adlib_kernel.option_matcher")  # type: ignore[untyped-decorator]
    def match_options(context: CompletionContext) -> dict[str, Any]:
        typed = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
        found = re.match(r"\s*(%{1,2}\w+)\s(?:.*\s)?(-[\w-]*|\w*)$", typed)
        if found is None or found.group(1) not in magics:
            return {"completions": [], "suppress": False}
        form, start = found.groups()
        options = start.startswith("-")
        possible = option_strings(magics[form]) if options else words(form)
        completions = [
            SimpleCompletion(word, type="param" if options else "instance")
            for word in possible
            if word.startswith(start)
        ]
        # where words are known nothing else can stand; a form without any takes an expression
        return {
            "completions": completions,
            "matched_fragment": start,
            "suppress": bool(completions),
        }

    return match_options
