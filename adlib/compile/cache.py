"""Machine code kept on disk, by what it was made of.

An entry is named by the hash of the LLVM text with the versions of LLVM and llvmlite, the
processor and its features, so that an entry cannot be wrong for this machine. It holds a
checksum of its own: one that is damaged is made anew. Files are written under another name and
moved into place, so that several processes can share a cache. Its size is bounded by the flag
``jit_disk_cache_bytes``: the entries that were not used for longest go.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from adlib.base.config import config
from adlib.compile import engine

_MAGIC = b"adlib-object-3\n"
_UNFINISHED = "new-"  # how names of files begin that are being written
_HOUR = 3600.0  # seconds after which an unfinished file is what a killed process left behind

_lock = threading.Lock()
# Per directory: bytes that this process may write before the size is looked at again.
_allowance: dict[Path, int] = {}


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
    file = place / f"{name}.o"
    try:
        content = file.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC)
    checksum, code = content[start : start + 32], content[start + 32 :]
    if content[:start] != _MAGIC or hashlib.sha256(code).digest() != checksum:
        return None
    with contextlib.suppress(OSError):  # it may be another user's, or gone by now
        os.utime(file)  # the time of its last use
    return code


def write(name: str, code: bytes) -> None:
    """Keep an entry. Raises OSError where that is not possible."""
    place = directory()
    content = _MAGIC + hashlib.sha256(code).digest() + code
    if place is None or len(content) > config.jit_disk_cache_bytes:
        return
    place.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place, prefix=_UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, place / f"{name}.o")
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with _lock:
        left = _allowance.get(place, 0) - len(content)
        _allowance[place] = left if left > 0 else _trim(place)


def _trim(place: Path) -> int:
    """Delete the entries that were not used for longest where there is too much.

    Returns how many bytes may be written before it is time to look again: listing the directory
    for every entry would take longer than writing it.
    """
    most: int = config.jit_disk_cache_bytes
    entries, total, now = [], 0, time.time()
    for file in os.scandir(place):
        with contextlib.suppress(OSError):  # another process deleted it
            found = file.stat()
            if file.name.endswith(".o"):
                entries.append((found.st_mtime_ns, found.st_size, file.path))
                total += found.st_size
            elif file.name.startswith(_UNFINISHED) and now - found.st_mtime > _HOUR:
                os.unlink(file.path)
    if total > most:
        entries.sort()
        for _, size, path in entries:
            with contextlib.suppress(OSError):
                os.unlink(path)
            total -= size
            if total <= most * 3 // 4:
                break
    return max((most - total) // 8, 1)


def clear() -> None:
    """Delete all entries."""
    place = directory()
    if place is None or not place.is_dir():
        return
    for file in place.iterdir():
        if file.suffix == ".o" or file.name.startswith(_UNFINISHED):
            with contextlib.suppress(OSError):
                file.unlink()
