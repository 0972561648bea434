"""Machine code kept on disk, by what it was made of.

An entry is named by the hash of the LLVM text with the versions of LLVM and llvmlite, the
processor and its features, so that an entry cannot be wrong for this machine. It holds a
checksum of its own: one that is damaged is made anew. Files are written under another name and
moved into place, so that several processes can share a cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from adlib.base.config import config
from adlib.compile import engine

_MAGIC = b"adlib-object-1\n"


def directory() -> Path | None:
    """Where entries lie: ``$ADLIB_CACHE_DIR``, or in the user's cache directory.

    None where the cache is switched off: by the flag ``jit_disk_cache``, or an empty
    ``$ADLIB_CACHE_DIR``.
    """
    if not config.jit_disk_cache:
        return None
    chosen = os.environ.get("ADLIB_CACHE_DIR")
    if chosen is not None:
        return Path(chosen) if chosen else None
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "adlib"
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "adlib"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "adlib" / "Cache"
    return home / ".cache" / "adlib"


def load(text: str, names: list[str]) -> engine.Loaded:
    """Native code for LLVM text: from memory, from disk, or compiled now."""
    name = engine.digest(text)
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: no home directory
        code = read(name)
        if code is not None:
            return engine.load(code, names)
    code = engine.object_code(text)
    with contextlib.suppress(OSError, RuntimeError):
        write(name, code)
    return engine.load(code, names)


def read(name: str) -> bytes | None:
    """The object code of an entry; None where there is none or it is damaged."""
    place = directory()
    if place is None:
        return None
    try:
        content = (place / f"{name}.o").read_bytes()
    except OSError:
        return None
    start = len(_MAGIC)
    checksum, code = content[start : start + 32], content[start + 32 :]
    if content[:start] != _MAGIC or hashlib.sha256(code).digest() != checksum:
        return None
    return code


def write(name: str, code: bytes) -> None:
    """Keep an entry. Raises OSError where that is not possible."""
    place = directory()
    if place is None:
        return
    place.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place, prefix="new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(code).digest() + code)
        os.replace(temporary, place / f"{name}.o")
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def clear() -> None:
    """Delete all entries."""
    place = directory()
    if place is None or not place.is_dir():
        return
    for file in place.iterdir():
        if file.suffix == ".o" or file.name.startswith("new-"):
            with contextlib.suppress(OSError):
                file.unlink()
