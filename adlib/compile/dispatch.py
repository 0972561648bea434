"""Which executor runs a jitted program: native code or the reference executor.

A program is compiled at its first call, and always runs the same way: results may differ from
the reference executor's in the last digit, and a function whose digits change from one call to
the next would be worse than one that takes 30 ms to start.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adlib.base.config import config
from adlib.control import jit
from adlib.core.jaxpr import ClosedJaxpr
from adlib.core.program import Program
from adlib.core.program import program as reference

BACKENDS = ("auto", "native", "python")


def executor(closed: ClosedJaxpr, xp: Any, donated: tuple[int, ...] = ()) -> Program:
    """The function ``(*ndarrays) -> tuple of ndarrays`` that runs a jitted program.

    The flag ``jit_backend`` chooses: ``"auto"`` is native code where llvmlite is installed,
    ``"native"`` raises ImportError where it is not, ``"python"`` is the reference executor.
    On a GPU, ``"auto"`` and ``"native"`` are CUDA kernels. Results may take the memory of the
    arguments whose numbers are ``donated``.
    """
    chosen = config.jit_backend
    if chosen == "python":
        return reference(closed, xp)
    if chosen not in BACKENDS:
        raise ValueError(
            f"jit_backend must be 'auto', 'native' or 'python', got {chosen!r}. Repair: "
            'adlib.config.update("jit_backend", "auto").'
        )
    if xp is not np:
        from adlib.compile.cuda.program import executable

        return executable(closed, xp, donated)
    from adlib.compile import engine, program

    if chosen == "native" and not engine.available():
        raise ImportError(
            'jit_backend is "native", and llvmlite, which makes native code, cannot be used here. '
            'Repair: pip install llvmlite, or adlib.config.update("jit_backend", "auto").'
        )
    return program.executable(closed, donated)


jit.executor[0] = executor
