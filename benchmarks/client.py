"""The parent's handle on a library's worker process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .libraries import thread_environment

ROOT = Path(__file__).resolve().parent.parent


class WorkerError(Exception):
    """A library could not be loaded, or a form raised; the text is the worker's traceback."""


def child_environment(threads: int, device: str = "cpu") -> dict[str, str]:
    """This process's environment with threads fixed and the project importable; on the CPU, GPUs
    are hidden."""
    environment = {**os.environ, **thread_environment(threads)}
    if device.startswith("gpu"):
        for name in ("JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES"):
            environment.pop(name)
            if name in os.environ:
                environment[name] = os.environ[name]
        # the libraries share the card: none may take most of its memory at its start
        environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    # Byte code must be written, or every import would be timed as a first one.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment


class Client:
    """Starts ``python -m benchmarks.worker`` for one library; use as a context manager.

    With ``device="gpu"`` its arrays are on the GPU, and it knows the cases of ``cases/gpu.py``;
    with ``"gpu-small"`` these are tiny.

    Raises:
      WorkerError: from the constructor where the library cannot be imported, from ``call`` where
        the command raised in the worker.
    """

    def __init__(
        self,
        library: str,
        threads: int = 1,
        command: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
        device: str = "cpu",
    ):
        self.library = library
        argv = command or [
            *(sys.executable, "-m", "benchmarks.worker"),
            *(library, str(threads), device),
        ]
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**child_environment(threads, device), **(environment or {})},
        )
        try:
            self.version: str = self._receive()
        except WorkerError:
            self.close()
            raise

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        try:
            status, value = pickle.load(self._process.stdout)
        except EOFError:
            code = self._process.wait()
            raise WorkerError(f"the {self.library} process ended with exit code {code}") from None
        if status == "error":
            raise WorkerError(value)
        return value

    def call(self, command: str, *arguments: Any) -> Any:
        """Run one command in the worker and return its value."""
        assert self._process.stdin is not None
        try:
            pickle.dump((command, *arguments), self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            code = self._process.wait()
            raise WorkerError(f"the {self.library} process ended with exit code {code}") from None
        return self._receive()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
