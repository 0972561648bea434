"""Compiled programs under valgrind's memcheck: ``python tools/memcheck.py [number of programs]``.

Takes one sample of every primitive that becomes native code, and as many random programs as asked
for (20). Everything is compiled first, for a processor that valgrind knows, into a cache of its
own; then the programs run under valgrind, which takes some minutes. Only errors with generated
code in their stack count: CPython and the libraries have their own.

valgrind is in every distribution (``apt-get install valgrind``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CPU = "x86-64-v3"  # AVX2: what valgrind can run


def cases(count: int) -> Any:
    """(name, jaxpr, arguments): the first native sample of each primitive, random programs."""
    from tests.compile import guarded

    seen = set()
    for name, closed, values in guarded.registry_cases(False):
        primitive = name.rpartition("-")[0]
        if primitive not in seen:
            yield name, closed, values
            seen.add(primitive)
    yield from guarded.random_cases(0, count)


def work(count: int) -> int:
    """Run the programs here, and check their results; what valgrind watches."""
    import numpy as np

    import adlib
    from adlib.compile.program import Compiled
    from tests.compile.noise import differences

    adlib.config.update("jit_backend", "python")
    mistake(np, adlib, Compiled)
    wrong = native = 0
    for name, closed, values in cases(count):
        wide = any(v.aval.dtype.itemsize >= 8 for v in closed.jaxpr.invars)
        with adlib.enable_x64(wide), np.errstate(all="ignore"):
            compiled = Compiled(closed)
            if not compiled.segments:
                continue
            native += 1
            print(name, flush=True)
            results = [np.array(r) for r in compiled.function(*[np.array(v) for v in values])]
            if differences(results, closed, values, 2) and differences(results, closed, values):
                print("  WRONG", flush=True)
                wrong += 1
    print(f"{native} programs, {wrong} with wrong results", flush=True)
    return wrong


def mistake(np: Any, adlib: Any, compiled: Any) -> None:
    """Read past the end of an array, which valgrind has to notice."""
    run = compiled(adlib.make_jaxpr(lambda x: x * 2)(np.ones(40, np.float32)))
    run.function(np.ones(24, np.float32))


def generated(error: ET.Element) -> bool:
    """Whether a frame of an error's stack lies in memory that no file backs."""
    frames = error.findall("./stack[1]/frame")
    return any(frame.find("obj") is None for frame in frames)


def described(error: ET.Element) -> str:
    what = error.findtext("what") or error.findtext("xwhat/text") or error.findtext("kind") or ""
    lines = [what]
    for frame in error.findall("./stack[1]/frame"):
        place = frame.findtext("fn") or ("generated code" if frame.find("obj") is None else "?")
        lines.append(f"    {frame.findtext('ip')} {place}")
    return "\n".join(lines)


def main() -> int:
    if sys.argv[1:2] == ["--inside"]:
        return work(int(sys.argv[2]))
    count = sys.argv[1] if len(sys.argv) > 1 else "20"
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        print("valgrind is not installed. Repair: apt-get install valgrind")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "ADLIB_CACHE_DIR": folder,
            "ADLIB_JIT_CPU": CPU,
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": str(ROOT),
            "OPENBLAS_NUM_THREADS": "1",
        }
        inside = [sys.executable, str(Path(__file__).resolve()), "--inside", count]
        subprocess.run(inside, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        report = Path(folder) / "errors.xml"
        watched = [valgrind, "--smc-check=all-non-file", "--num-callers=12", "--error-limit=no"]
        watched += ["--partial-loads-ok=no"]  # vectors that reach over an end are mistakes
        watched += ["--xml=yes", f"--xml-file={report}", *inside]
        done = subprocess.run(watched, env=environment, cwd=ROOT)
        errors = ET.parse(report).getroot().findall("error")
    ours = [e for e in errors if generated(e)]
    if not ours:
        print("valgrind has not noticed the mistake that is made on purpose: it sees nothing")
        return 2
    ours = ours[1:]
    for error in ours:
        print(described(error))
    print(f"{len(ours)} errors in generated code ({len(errors)} in all)")
    return 1 if ours or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
