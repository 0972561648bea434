"""Find a Chromium for the browser tests, or fetch one; says in one line why there is none.

    python tools/chromium.py            # prints its path, or the reason on stderr and exits with 1
    python tools/chromium.py --install  # the same, after trying to install one

A browser counts only when it starts: an installation without its system libraries does not.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "ADLIB_CHROMIUM"
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome-headless-shell",
)
APT_PACKAGES = ("chromium", "fonts-dejavu-core")
APT_OPTIONS = ("-y", "-qq", "--no-install-recommends", "-o", "Acquire::Retries=0")
INSTALL_LIMIT = 180.0  # seconds for each way of installing
# What Playwright unpacks: a folder per revision, with a name per platform and build inside.
PLAYWRIGHT_PATTERNS = (
    "chromium_headless_shell-*/*/headless_shell",
    "chromium_headless_shell-*/*/chrome-headless-shell",
    "chromium-*/*/chrome",
    "chromium-*/*/Chromium.app/Contents/MacOS/Chromium",
)


class NoChromium(Exception):
    """Why there is no browser, in one line."""


def playwright_folder() -> Path:
    """Where Playwright keeps the browsers that it downloads."""
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    if named not in ("", "0"):
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ms-playwright"
    return Path.home() / ".cache" / "ms-playwright"


def candidates() -> Iterator[str]:
    """Paths of programs that may be a Chromium, the likeliest first."""
    for name in NAMES:
        if path := shutil.which(name):
            yield path
    for pattern in PLAYWRIGHT_PATTERNS:
        yield from map(str, sorted(playwright_folder().glob(pattern), reverse=True))


@functools.cache
def version(path: str) -> str:
    """What the program answers to ``--version``; empty where it does not run."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def find() -> str:
    """The path of a Chromium that starts.

    Raises:
      NoChromium: where there is none; the message says what was looked for.
    """
    if named := os.environ.get(VARIABLE, ""):
        path = shutil.which(named)
        if path and version(path):
            return path
        raise NoChromium(f"{VARIABLE} names {named!r}, which is not a program that runs")
    seen = []
    for path in candidates():
        if version(path):
            return path
        seen.append(path)
    if seen:
        raise NoChromium(f"{seen[0]} does not start (are its system libraries installed?)")
    raise NoChromium(
        f"no Chromium on the PATH or in {playwright_folder()} (name one in {VARIABLE})"
    )


def may_use_apt() -> bool:
    """Whether packages can be installed here without asking anyone."""
    return bool(shutil.which("apt-get")) and apt_prefix() is not None


def apt_prefix() -> list[str] | None:
    """What must stand before apt-get: nothing for root, sudo in CI where it asks no password."""
    if os.geteuid() == 0:
        return []
    if os.environ.get("CI") and shutil.which("sudo"):
        asked = subprocess.run(["sudo", "-n", "true"], capture_output=True)
        return ["sudo", "-n"] if asked.returncode == 0 else None
    return None


def attempt(command: list[str]) -> str:
    """Run one step of an installation; the line that says why where it failed."""
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    try:
        done = subprocess.run(
            command,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # in the order in which it was said
            text=True,
            timeout=INSTALL_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return f"{' '.join(command[:3])} took more than {INSTALL_LIMIT:.0f} seconds"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    # the first complaint is the cause, what follows are stacks and consequences
    causes = [line for line in lines if re.match(r"(Error|E|ERROR|Err|Failed)\b", line)]
    return (causes or lines[-1:] or [f"{' '.join(command[:3])} failed without a word"])[0]


def install() -> str:
    """Find a Chromium, or install one: the system's where that is allowed, else Playwright's.

    Raises:
      NoChromium: where neither works; the message says what stopped each.
    """
    try:
        return find()
    except NoChromium:
        if os.environ.get(VARIABLE):
            raise
    print("adlib: installing a Chromium for the browser tests", file=sys.stderr, flush=True)
    failures = []
    for name, steps in ways():
        failed = next(filter(None, map(attempt, steps)), "")
        version.cache_clear()
        try:
            return find()
        except NoChromium as error:
            failures.append(f"{name}: {failed or error}")
    raise NoChromium("; ".join(failures))


def ways() -> Iterator[tuple[str, list[list[str]]]]:
    """The ways to install one, each as a name and its commands."""
    if may_use_apt():
        apt = [*(apt_prefix() or []), "apt-get"]
        yield (
            "apt-get",
            [
                [*apt, "update", "-qq"],
                [*apt, "install", *APT_OPTIONS, *APT_PACKAGES],
            ],
        )
    yield "playwright", [[sys.executable, "-m", "playwright", "install", "chromium"]]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="install one where there is none")
    options = parser.parse_args(argv)
    try:
        path = install() if options.install else find()
    except NoChromium as reason:
        print(f"adlib: browser tests cannot run here: {reason}", file=sys.stderr)
        return 1
    print(f"adlib: browser tests use {path} ({version(path)})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
