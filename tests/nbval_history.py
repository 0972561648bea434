"""A pytest plugin: nbval numbers cells as a notebook does.

nbval runs every cell as number 1. The views name source lines by their cells, ``In[3]:2``, also
inside of their pictures, so its outputs would differ from those of a notebook that was run.
"""

from typing import Any

from nbval.kernel import RunningKernel


def execute_and_count(
    kernel: RunningKernel, cell_input: str, allow_stdin: bool | None = None
) -> Any:
    return kernel.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False)


RunningKernel.execute_cell_input = execute_and_count
