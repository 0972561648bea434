"""IPython extension of adlib: ``%load_ext adlib_kernel`` brings its magics; ``%adlib`` lists them.

Among them are ``%%grad``, ``%jvp``, ``%vjp``, ``%jaxpr``, ``%adtime`` and ``%checkgrads``; while it
is loaded, tracebacks show the user's lines and fold adlib's own frames away. ``exercise``
declares an exercise that checks itself with ``check`` (or ``%%check``) and ``hint``.
"""

from __future__ import annotations

import os
from typing import Any

from adlib.base.source import register_internal
from adlib_kernel.actions.course import exercise_set
from adlib_kernel.actions.exercises import Exercise, Verdict, check, exercise, hint

__all__ = ["Exercise", "Verdict", "check", "exercise", "exercise_set", "hint"]

# So that an equation's line is the user's, not one of this package's.
register_internal(os.path.dirname(os.path.abspath(__file__)))

# of each shell, by id: what unloading takes away again
_matchers: dict[int, Any] = {}
_bars: dict[int, Any] = {}


def load_ipython_extension(shell: Any) -> None:
    """Register the magics, the completion of what follows them, bars and short tracebacks."""
    import IPython

    from adlib_kernel import tracebacks
    from adlib_kernel.catalogue import CATALOGUE
    from adlib_kernel.cell_bars import CellBars
    from adlib_kernel.completion import option_matcher
    from adlib_kernel.magics import AutodiffMagics, words_for

    unload_ipython_extension(shell)
    # a magic's line runs below frames of IPython's own, which are nobody's code to mend
    register_internal(os.path.dirname(os.path.abspath(IPython.__file__)))
    shell.register_magics(AutodiffMagics(shell))
    forms = {
        form: getattr(AutodiffMagics, method)
        for entry in CATALOGUE
        for form, method in entry.forms.items()
    }
    matcher = option_matcher(forms, lambda form: words_for(form, shell.user_ns))
    shell.Completer.custom_matchers.append(matcher)
    tracebacks.install(shell)
    _matchers[id(shell)] = matcher
    _bars[id(shell)] = CellBars(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take back what loading registered."""
    from adlib_kernel import tracebacks
    from adlib_kernel.catalogue import CATALOGUE

    matcher = _matchers.pop(id(shell), None)
    if matcher is None:
        return
    tracebacks.remove(shell)
    _bars.pop(id(shell)).remove()
    shell.Completer.custom_matchers.remove(matcher)
    for entry in CATALOGUE:
        for form in entry.forms:
            kind = "cell" if form.startswith("%%") else "line"
            shell.magics_manager.magics[kind].pop(form.lstrip("%"), None)
