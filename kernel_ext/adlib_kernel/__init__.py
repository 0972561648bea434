"""IPython extension of adlib: ``%load_ext adlib_kernel`` brings its magics.

- ``%%grad x y``: the gradient of a cell's last expression.
- ``%jaxpr f(x)``: a jaxpr as text, graph and table.
- ``%adtime f(x)``: what derivatives cost, as multiples of the function.
"""

from __future__ import annotations

import os
from typing import Any

from adlib.base.source import register_internal

# So that an equation's line is the user's, not one of this package's.
register_internal(os.path.dirname(os.path.abspath(__file__)))

_matchers: dict[int, Any] = {}  # of each shell, by id: what unloading takes away again


def load_ipython_extension(shell: Any) -> None:
    """Register the magics and the completion of their options."""
    import IPython

    from adlib_kernel.completion import option_matcher
    from adlib_kernel.magics import AutodiffMagics

    unload_ipython_extension(shell)
    # a magic's line runs below frames of IPython's own, which are nobody's code to mend
    register_internal(os.path.dirname(os.path.abspath(IPython.__file__)))
    shell.register_magics(AutodiffMagics(shell))
    matcher = option_matcher(
        {
            "%%grad": AutodiffMagics.grad,
            "%jaxpr": AutodiffMagics.jaxpr,
            "%adtime": AutodiffMagics.adtime,
        }
    )
    shell.Completer.custom_matchers.append(matcher)
    _matchers[id(shell)] = matcher


def unload_ipython_extension(shell: Any) -> None:
    """Take back what loading registered."""
    matcher = _matchers.pop(id(shell), None)
    if matcher is None:
        return
    shell.Completer.custom_matchers.remove(matcher)
    for kind, name in (("cell", "grad"), ("line", "jaxpr"), ("line", "adtime")):
        shell.magics_manager.magics[kind].pop(name, None)
