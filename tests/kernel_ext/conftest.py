"""An IPython shell with the extension loaded."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.io import capture_output
from traitlets.config import Config

from adlib_kernel.actions import exercises


class Shell:
    """Runs cells as a notebook does, and says what came out."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    @property
    def names(self) -> dict:
        return self.shell.user_ns

    def run(self, cell: str):
        """The cell's value; raises what the cell raised."""
        with capture_output() as captured:
            outcome = self.shell.run_cell(cell, store_history=True)
        self.printed = captured.stdout
        outcome.raise_error()
        return outcome.result

    def error(self, cell: str) -> tuple[str, str]:
        """The error's class name, and what the user gets to see of it."""
        with capture_output() as captured:
            outcome = self.shell.run_cell(cell, store_history=True)
        found = outcome.error_in_exec or outcome.error_before_exec
        assert found is not None, "the cell raised nothing"
        return type(found).__name__, captured.stderr + captured.stdout


@pytest.fixture(autouse=True)
def no_exercises():
    """Each test declares its own exercises: those of others in this process are not there."""
    stores = (exercises._exercises, exercises._hints_given, exercises._solved)
    for store in stores:
        store.clear()
    yield
    for store in stores:
        store.clear()


@pytest.fixture
def ipython(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    shell.extension_manager.load_extension("adlib_kernel")
    yield Shell(shell)
    shell.extension_manager.unload_extension("adlib_kernel")
    InteractiveShell.clear_instance()
