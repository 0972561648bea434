"""Tab completion of the magics' options."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from adlib_kernel.options import option_strings


def option_matcher(magics: dict[str, Any]) -> Callable[[CompletionContext], Any]:
    """A matcher that completes ``%adtime --n`` to ``--number``, from the magics' own parsers.

    Args:
      magics: each magic by its name as typed, ``%jaxpr`` or ``%%grad``.
    """

    @context_matcher(identifier="adlib_kernel.option_matcher")  # type: ignore[untyped-decorator]
    def match_options(context: CompletionContext) -> dict[str, Any]:
        typed = context.full_text.split("\n")[context.cursor_line][: context.cursor_position]
        found = re.match(r"\s*(%{1,2}\w+)\s(?:.*\s)?(-[\w-]*)$", typed)
        if found is None or found.group(1) not in magics:
            return {"completions": [], "suppress": False}
        start = found.group(2)
        names = [n for n in option_strings(magics[found.group(1)]) if n.startswith(start)]
        completions = [SimpleCompletion(name, type="param") for name in names]
        return {"completions": completions, "matched_fragment": start, "suppress": bool(names)}

    return match_options
