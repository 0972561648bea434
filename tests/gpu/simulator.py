"""CUDA C run on the CPU: each block's threads are threads, and meet at barriers.

The kernels' text is compiled by the system's C++ compiler with a few definitions in front, into
a function that goes through the grid block by block. What this cannot show is speed, and errors
of memory order that a barrier hides.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_SHIM = r"""
#include <barrier>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>
#define __global__
#define __device__ inline
#define __forceinline__
#define __shared__ static
#define __restrict__ __restrict
struct Three { int x, y, z; };
static Three gridDim, blockDim, blockIdx;
static thread_local Three threadIdx;
static std::unique_ptr<std::barrier<>> meeting;
static void __syncthreads() { meeting->arrive_and_wait(); }
template <class To, class From> static To same_bits(From x) {
  To to; static_assert(sizeof to == sizeof x); memcpy(&to, &x, sizeof to); return to;
}
static float __int_as_float(int x) { return same_bits<float>(x); }
static double __longlong_as_double(long long x) { return same_bits<double>(x); }
static int __float_as_int(float x) { return same_bits<int>(x); }
static long long __double_as_longlong(double x) { return same_bits<long long>(x); }
static int __popc(unsigned x) { return __builtin_popcount(x); }
static int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static int __clz(unsigned x) { return x ? __builtin_clz(x) : 32; }
static int __clzll(unsigned long long x) { return x ? __builtin_clzll(x) : 64; }
using std::signbit;
"""

_RUN = r"""
extern "C" void run_%(title)s(int blocks, int threads, void** p) {
  gridDim = {blocks, 1, 1}; blockDim = {threads, 1, 1};
  %(meets)s
  meeting = std::make_unique<std::barrier<>>(threads);
  std::vector<std::thread> all;
  for (int b = 0; b < blocks; ++b) {
    blockIdx = {b, 0, 0};
    all.clear();
    for (int t = 0; t < threads; ++t)
      all.emplace_back([=] { threadIdx = {t, 0, 0}; %(name)s(%(arguments)s); });
    for (auto& each : all) each.join();
  }
}
"""

# Without barriers, one thread can be all threads.
_ALONE = r"""
  for (int b = 0; b < blocks; ++b)
    for (int t = 0; t < threads; ++t) {
      blockIdx = {b, 0, 0}; threadIdx = {t, 0, 0}; %(name)s(%(arguments)s);
    }
  return;
"""


def compiler() -> str | None:
    """The system's C++ compiler, if there is one."""
    return shutil.which("g++") or shutil.which("clang++")


@functools.cache
def _folder() -> Path:
    """Where compiled kernels lie, with what is common to all in a form that is quick to read."""
    folder = Path(tempfile.mkdtemp(prefix="adlib-simulator-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "shim.hpp").write_text(_SHIM)
    _compile("-x", "c++-header", str(folder / "shim.hpp"), "-o", str(folder / "shim.hpp.gch"))
    return folder


def _compile(*arguments: str) -> None:
    flags = "-std=c++20 -O0 -ffp-contract=off -fwrapv -fPIC -pthread -w".split()
    done = subprocess.run([str(compiler()), *flags, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]


class Simulator:
    """Makes modules in the place of ``cupy.RawModule``; all that wait are compiled together."""

    def __init__(self) -> None:
        self._waiting: list[Module] = []
        self.made: list[Module] = []

    def __call__(self, code: str, options: tuple[str, ...] = ()) -> Module:
        made = Module(self, code)
        self._waiting.append(made)
        self.made.append(made)
        return made

    def load(self) -> None:
        """Compile what waits."""
        waiting, self._waiting = self._waiting, []
        text = []
        for i, module in enumerate(waiting):
            text.append(f"namespace n{i} {{\n{module.code.replace(EXTERN, 'static void ')}")
            for name, params in module.kernels():
                text.append(_entry(f"m{i}_{name}", name, params, "__syncthreads" in module.code))
            text.append("}")
        whole = "\n".join(text)
        name = hashlib.sha256(whole.encode()).hexdigest()[:16]
        source, target = _folder() / f"{name}.cpp", _folder() / f"{name}.so"
        source.write_text(whole)
        _compile("-shared", "-include", str(_folder() / "shim.hpp"), str(source), "-o", str(target))
        library = ctypes.CDLL(str(target))
        for i, module in enumerate(waiting):
            for name, _ in module.kernels():
                module.functions[name] = getattr(library, f"run_m{i}_{name}")


EXTERN = 'extern "C" __global__ void '


def _entry(title: str, name: str, params: str, meets: bool) -> str:
    kinds = [p.rsplit(" __restrict__", 1)[0] for p in params.split(", ")]
    arguments = ", ".join([f"({kind})p[{i}]" for i, kind in enumerate(kinds)])
    parts = {"title": title, "name": name, "arguments": arguments}
    return _RUN % {**parts, "meets": "" if meets else _ALONE % parts}


class Module:
    """The kernels of one program."""

    def __init__(self, simulator: Simulator, code: str) -> None:
        self._simulator = simulator
        self.code = code
        self.functions: dict[str, Any] = {}

    def kernels(self) -> list[tuple[str, str]]:
        """Name and parameters of each kernel."""
        lines = [line for line in self.code.splitlines() if line.startswith(EXTERN)]
        pairs = [line[len(EXTERN) :].rstrip(" {").rstrip(")").split("(", 1) for line in lines]
        return [(name, params) for name, params in pairs]

    def get_function(self, name: str) -> Any:
        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            if not self.functions:
                self._simulator.load()
            held = [a.held for a in arguments]
            assert all(h.flags.c_contiguous for h in held)
            # a kernel does not care how many blocks and threads it gets: few are quicker here
            pointers = (ctypes.c_void_p * len(held))(*[h.ctypes.data for h in held])
            self.functions[name](min(grid[0], 3), min(block[0], 8), pointers)

        return launch
