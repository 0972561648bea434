"""CUDA C run on the CPU: the threads of a block take turns, and meet at barriers.

The kernels' text is compiled by the system's C++ compiler with a few definitions in front, into
a function that goes through the grid block by block. Each thread of a block is a coroutine that
runs up to the next barrier or atomic operation; which one goes on is drawn at random, so that what
is read without a barrier after it was written comes out wrong, and an atomic operation finds that
others came first. It is an error where threads of a block wait at different barriers, or where
some have ended while others wait; where memory beside an array is written; and where an address is
not aligned as its type asks. What this cannot
show is speed, and errors of memory order that hardware alone makes.
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

import numpy as np

_SHIM = r"""
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <setjmp.h>
#include <ucontext.h>
#include <vector>
#define __global__
#define __device__ inline
#define __forceinline__
#define __shared__ static
#define __restrict__ __restrict
struct Three { int x, y, z; };
static Three gridDim, blockDim, blockIdx, threadIdx;

// ------------------------------------------------------------------ threads of a block
struct Turn {
  ucontext_t context;  // how it begins
  jmp_buf place;       // where it goes on: quicker to reach, without a system call
  bool begun;
  std::unique_ptr<char[]> stack;
  int barrier;  // the line of the barrier that it waits at, 0 for none
  bool ended;
};
static const size_t STACK = 96 << 10;
static std::vector<Turn> turns;
static ucontext_t begins;
static jmp_buf scheduler;
static int now;
static const std::function<void()>* work;
static const char* wrong;
static uint64_t random_state;
static unsigned drawn(unsigned below) {
  random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (random_state >> 33) % below;
}
static void others_first() {
  const Three me = threadIdx;
  if (!_setjmp(turns[now].place)) _longjmp(scheduler, 1);
  threadIdx = me;
}
static void barrier_at(int line) { turns[now].barrier = line; others_first(); }
#define __syncthreads() barrier_at(__LINE__)
static void one_turn() { (*work)(); turns[now].ended = true; _longjmp(scheduler, 1); }
static void go_on(Turn& turn) {
  if (_setjmp(scheduler)) return;
  if (turn.begun) _longjmp(turn.place, 1);
  turn.begun = true;
  swapcontext(&begins, &turn.context);
}
static void run_block(int threads, const std::function<void()>& body) {
  if (turns.size() < (size_t)threads) turns.resize(threads);
  work = &body;
  std::vector<int> ready;
  for (int t = 0; t < threads; ++t) {
    Turn& turn = turns[t];
    if (!turn.stack) turn.stack = std::make_unique<char[]>(STACK);
    turn.barrier = 0; turn.begun = turn.ended = false;
    getcontext(&turn.context);
    turn.context.uc_stack.ss_sp = turn.stack.get();
    turn.context.uc_stack.ss_size = STACK;
    makecontext(&turn.context, one_turn, 0);
    ready.push_back(t);
  }
  int ended = 0;
  std::vector<int> waiting;
  while (ended < threads) {
    while (!ready.empty()) {
      const unsigned place = drawn(ready.size());
      now = ready[place];
      threadIdx = {now, 0, 0};
      go_on(turns[now]);
      if (!turns[now].ended && !turns[now].barrier) continue;  // it let others go first
      ready[place] = ready.back(); ready.pop_back();
      if (turns[now].ended) ++ended; else waiting.push_back(now);
    }
    if (waiting.empty()) return;
    if (ended) { wrong = "some threads of a block ended while others wait at a barrier"; return; }
    const int line = turns[waiting[0]].barrier;
    for (int t : waiting) {
      if (turns[t].barrier != line) {
        wrong = "threads of a block wait at different barriers"; return;
      }
      turns[t].barrier = 0;
    }
    ready.swap(waiting);
  }
}

// The compiler calls this before an access to memory that its type's alignment does not allow.
extern "C" __attribute__((weak)) void __ubsan_handle_type_mismatch_v1(void*, void*) {
  wrong = "memory is read or written at an address that is not aligned";
}

// ------------------------------------------------------------------ atomic operations
// Compute capability 7.0 has these; addition of 64-bit integers is of unsigned ones only.
template <class T> static T exchanged(T* place, const std::function<T(T)>& change) {
  others_first();
  if ((uintptr_t)place % sizeof(T)) wrong = "an atomic operation on memory that is not aligned";
  const T old = *place; *place = change(old); return old;
}
#define ATOMIC(name, type, expression) \
  static type name(type* place, type y) { \
    return exchanged<type>(place, [=](type x) -> type { return expression; }); }
#define ATOMICS(name, expression) \
  ATOMIC(name, int, expression) ATOMIC(name, unsigned, expression) \
  ATOMIC(name, unsigned long long, expression)
ATOMICS(atomicAdd, x + y) ATOMIC(atomicAdd, float, x + y) ATOMIC(atomicAdd, double, x + y)
ATOMICS(atomicMin, x < y ? x : y) ATOMIC(atomicMin, long long, x < y ? x : y)
ATOMICS(atomicMax, x > y ? x : y) ATOMIC(atomicMax, long long, x > y ? x : y)
#define CAS(type) static type atomicCAS(type* place, type compare, type value) { \
  return exchanged<type>(place, [=](type x) { return x == compare ? value : x; }); }
CAS(int) CAS(unsigned) CAS(unsigned long long) CAS(unsigned short)

// ------------------------------------------------------------------------- intrinsics
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
extern "C" const char* run_%(title)s(int blocks, int threads, void** p) {
  gridDim = {blocks, 1, 1}; blockDim = {threads, 1, 1};
  wrong = nullptr; random_state = 1;
  for (int b = 0; b < blocks && !wrong; ++b) {
    blockIdx = {b, 0, 0};
    %(block)s
  }
  return wrong;
}
"""
_TOGETHER = "run_block(threads, [=] { %(name)s(%(arguments)s); });"
# Where threads do not meet, they follow each other.
_ALONE = "for (int t = 0; t < threads; ++t) { threadIdx = {t, 0, 0}; %(name)s(%(arguments)s); }"

MARGIN = 64  # bytes on both sides of an array that nobody may write
_UNTOUCHED = 0xA5


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
    flags = "-std=c++20 -O0 -ffp-contract=off -fwrapv -fno-strict-aliasing".split()
    flags += "-fPIC -w -fsanitize=alignment".split()
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
                text.append(_entry(f"m{i}_{name}", name, params, module.meets(name)))
            text.append("}")
        whole = "\n".join(text)
        name = hashlib.sha256(whole.encode()).hexdigest()[:16]
        source, target = _folder() / f"{name}.cpp", _folder() / f"{name}.so"
        source.write_text(whole)
        _compile("-shared", "-include", str(_folder() / "shim.hpp"), str(source), "-o", str(target))
        library = ctypes.CDLL(str(target))
        for i, module in enumerate(waiting):
            for name, _ in module.kernels():
                function = getattr(library, f"run_m{i}_{name}")
                function.restype = ctypes.c_char_p
                module.functions[name] = function


EXTERN = 'extern "C" __global__ void '


def _entry(title: str, name: str, params: str, meets: bool) -> str:
    kinds = [p.rsplit(" ", 1)[0].removesuffix(" __restrict__") for p in params.split(", ")]
    arguments = ", ".join([f"({kind})p[{i}]" for i, kind in enumerate(kinds)])
    parts = {"title": title, "name": name, "arguments": arguments}
    return _RUN % {**parts, "block": (_TOGETHER if meets else _ALONE) % parts}


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

    def meets(self, name: str) -> bool:
        """Whether a kernel's threads have to do with each other."""
        (own,) = [k for k in self.code.split(EXTERN) if k.startswith(f"{name}(")]
        return any(word in own for word in ("__syncthreads", "atomic", "changed"))

    def get_function(self, name: str) -> Any:
        def launch(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
            if not self.functions:
                self._simulator.load()
            held = [a.held for a in arguments]
            assert all(h.flags.c_contiguous for h in held)
            assert 0 < block[0] <= 1024 and 0 < grid[0] < 1 << 31
            # two pointers to one array stay that: a result may lie where an argument does
            rooms = {h.ctypes.data: _Room(h) for h in held}
            places = [rooms[h.ctypes.data].inside.ctypes.data for h in held]
            pointers = (ctypes.c_void_p * len(held))(*places)
            # kernels do not care how many blocks they get: few are quicker here
            wrong = self.functions[name](min(grid[0], 2), block[0], pointers)
            assert not wrong, f"{name}: {wrong.decode()}"
            for room in rooms.values():
                room.leave(name)

        return launch


class _Room:
    """A copy of an array with margins that show what is written beside it; aligned as it is."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.whole = np.full(array.nbytes + 3 * MARGIN, _UNTOUCHED, np.uint8)
        aligned = -self.whole.ctypes.data % MARGIN
        self.start = MARGIN + (aligned + array.ctypes.data) % MARGIN
        self.end = self.start + array.nbytes
        self.inside = self.whole[self.start : self.end]
        self.inside[...] = np.frombuffer(array, np.uint8) if array.nbytes else 0

    def leave(self, name: str) -> None:
        beside = (self.whole[: self.start], self.whole[self.end :])
        assert all((part == _UNTOUCHED).all() for part in beside), f"{name} writes beside an array"
        if self.array.nbytes and self.array.flags.writeable:
            self.array.reshape(-1).view(np.uint8)[...] = self.inside
