"""Run mypy, strict, and keep its list of exceptions shrinking.

A file on the list `[tool.adlib.typecheck] exceptions` of pyproject.toml may have errors. A file
that is not on it may not, and a file on it that has none must leave it.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def verdict(output: str, exceptions: set[str]) -> list[str]:
    """What is wrong, given mypy's output: errors in unlisted files, listed files without any."""
    errors: dict[str, list[str]] = {}
    for line in output.splitlines():
        if found := re.match(r"(.+?):\d+: error: ", line):
            errors.setdefault(Path(found[1]).as_posix(), []).append(line)
    problems = [line for file in sorted(errors.keys() - exceptions) for line in errors[file]]
    for file in sorted(exceptions - errors.keys()):
        problems.append(f"{file} passes now: take it off the exceptions in pyproject.toml")
    return problems


def main() -> int:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    exceptions = set(config["adlib"]["typecheck"]["exceptions"])
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if run.returncode not in (0, 1) or run.stderr:
        print(run.stdout + run.stderr)
        return 1
    problems = verdict(run.stdout, exceptions)
    print("\n".join(problems) or f"types: strict, {len(exceptions)} files excepted")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
