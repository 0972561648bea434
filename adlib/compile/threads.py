"""Threads that share the chunks of long loops.

The pool is native code around CPython's own thread interface, which is there on every platform:
its threads are started when the first long loop runs, wait on a lock of their own between jobs,
and never touch Python objects, so that they need no interpreter lock. A job is a function, what
it is given, and a number of chunks; whoever is free takes the next one, the caller among them.
One job has the pool at a time: who finds it taken, be it another Python thread, does all chunks
itself, so that nobody waits for anybody. Results do not depend on any of this (see chunks.py).

How many threads there are, the caller included: ``$ADLIB_NUM_THREADS``, else ``$OMP_NUM_THREADS``,
else the processors that this process may use; ``set_count`` changes it. A process that forks
starts threads of its own.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from typing import Any

from adlib.compile import cache, engine
from adlib.compile.layout import address_of

MOST = 64

_LINKS = (
    "PyThread_start_new_thread",
    "PyThread_allocate_lock",
    "PyThread_acquire_lock",
    "PyThread_release_lock",
    "PyThread_acquire_lock_timed",
)
_NAMES = ["links", "run", "wanted", "started", "busy", "state", "signaled"]

# state: bit 0 says whether a job is open, the rest counts the workers within it, by twos
_TEXT = f"""
@links = global [{len(_LINKS)} x ptr] zeroinitializer
@wanted = global i64 1
@started = global i64 0
@busy = global i64 0
@state = global i64 0
@signaled = global [{MOST} x i64] zeroinitializer
@go = internal global [{MOST} x ptr] zeroinitializer
@nap = internal global ptr null
@next = internal global i64 0
@function = internal global ptr null
@args = internal global ptr null
@count = internal global i64 0

define internal void @take_chunks(ptr %function, ptr %args, i64 %count) nounwind {{
entry:
  br label %loop
loop:
  %chunk = atomicrmw add ptr @next, i64 1 seq_cst
  %more = icmp ult i64 %chunk, %count
  br i1 %more, label %do, label %done
do:
  call void %function(i64 %chunk, ptr %args)
  br label %loop
done:
  ret void
}}

define internal void @worker(ptr %me) nounwind {{
entry:
  %number = ptrtoint ptr %me to i64
  %mine = getelementptr [{MOST} x ptr], ptr @go, i64 0, i64 %number
  %signal = getelementptr [{MOST} x i64], ptr @signaled, i64 0, i64 %number
  %lock = load ptr, ptr %mine
  %acquire = load ptr, ptr getelementptr (ptr, ptr @links, i64 2)
  br label %sleep
sleep:
  %got = call i32 %acquire(ptr %lock, i32 1)
  %heard = atomicrmw xchg ptr %signal, i64 0 seq_cst
  br label %look
look:
  %seen = load atomic i64, ptr @state seq_cst, align 8
  %open = and i64 %seen, 1
  %is_open = icmp ne i64 %open, 0
  br i1 %is_open, label %enter, label %sleep
enter:
  %one_more = add i64 %seen, 2
  %tried = cmpxchg ptr @state, i64 %seen, i64 %one_more seq_cst seq_cst
  %entered = extractvalue {{ i64, i1 }} %tried, 1
  br i1 %entered, label %work, label %look
work:
  %function = load ptr, ptr @function
  %args = load ptr, ptr @args
  %count = load i64, ptr @count
  call void @take_chunks(ptr %function, ptr %args, i64 %count)
  %left = atomicrmw sub ptr @state, i64 2 seq_cst
  br label %sleep
}}

define internal void @start_threads(i64 %wanted) nounwind {{
entry:
  %start = load ptr, ptr @links
  %allocate = load ptr, ptr getelementptr (ptr, ptr @links, i64 1)
  %acquire = load ptr, ptr getelementptr (ptr, ptr @links, i64 2)
  %old_nap = load ptr, ptr @nap
  %has_nap = icmp ne ptr %old_nap, null
  br i1 %has_nap, label %loop, label %make_nap
make_nap:
  %new_nap = call ptr %allocate()
  %held = call i32 %acquire(ptr %new_nap, i32 1)
  store ptr %new_nap, ptr @nap
  br label %loop
loop:
  %number = load i64, ptr @started
  %following = add i64 %number, 1
  %more = icmp ult i64 %following, %wanted
  br i1 %more, label %one, label %done
one:
  %lock = call ptr %allocate()
  %locked = call i32 %acquire(ptr %lock, i32 1)
  %mine = getelementptr [{MOST} x ptr], ptr @go, i64 0, i64 %number
  store ptr %lock, ptr %mine
  %me = inttoptr i64 %number to ptr
  %id = call i64 %start(ptr @worker, ptr %me)
  %low = trunc i64 %id to i32
  %failed = icmp eq i32 %low, -1
  br i1 %failed, label %no_more, label %started
started:
  store i64 %following, ptr @started
  br label %loop
no_more:
  store i64 %following, ptr @wanted
  br label %done
done:
  ret void
}}

define void @run(ptr %function, ptr %args, i64 %count) nounwind {{
entry:
  %wanted = load atomic i64, ptr @wanted monotonic, align 8
  %least = call i64 @llvm.umin.i64(i64 %wanted, i64 %count)
  %several = icmp ugt i64 %least, 1
  br i1 %several, label %try, label %alone
try:
  %tried = cmpxchg ptr @busy, i64 0, i64 1 seq_cst seq_cst
  %free = extractvalue {{ i64, i1 }} %tried, 1
  br i1 %free, label %ours, label %alone
alone:
  br label %each
each:
  %i = phi i64 [ 0, %alone ], [ %after, %each ]
  call void %function(i64 %i, ptr %args)
  %after = add i64 %i, 1
  %on = icmp ult i64 %after, %count
  br i1 %on, label %each, label %out
ours:
  call void @start_threads(i64 %least)
  store ptr %function, ptr @function
  store ptr %args, ptr @args
  store i64 %count, ptr @count
  store atomic i64 0, ptr @next seq_cst, align 8
  store atomic i64 1, ptr @state seq_cst, align 8
  %release = load ptr, ptr getelementptr (ptr, ptr @links, i64 3)
  %there = load i64, ptr @started
  %others = sub i64 %least, 1
  %woken = call i64 @llvm.umin.i64(i64 %others, i64 %there)
  br label %wake
wake:
  %w = phi i64 [ 0, %ours ], [ %w_after, %woke ]
  %waking = icmp ult i64 %w, %woken
  br i1 %waking, label %call_one, label %work
call_one:
  %signal = getelementptr [{MOST} x i64], ptr @signaled, i64 0, i64 %w
  %before = atomicrmw xchg ptr %signal, i64 1 seq_cst
  %asleep = icmp eq i64 %before, 0
  br i1 %asleep, label %release_it, label %woke
release_it:
  %mine = getelementptr [{MOST} x ptr], ptr @go, i64 0, i64 %w
  %lock = load ptr, ptr %mine
  call void %release(ptr %lock)
  br label %woke
woke:
  %w_after = add i64 %w, 1
  br label %wake
work:
  call void @take_chunks(ptr %function, ptr %args, i64 %count)
  %closed = atomicrmw and ptr @state, i64 -2 seq_cst
  br label %wait
wait:
  %turn = phi i64 [ 0, %work ], [ %turn_after, %again ]
  %within = load atomic i64, ptr @state seq_cst, align 8
  %empty = icmp eq i64 %within, 0
  br i1 %empty, label %finished, label %longer
longer:
  %turn_after = add i64 %turn, 1
  %patient = icmp ult i64 %turn, 20000
  br i1 %patient, label %again, label %rest
rest:
  %timed = load ptr, ptr getelementptr (ptr, ptr @links, i64 4)
  %nap = load ptr, ptr @nap
  %slept = call i32 %timed(ptr %nap, i64 100, i32 0)
  br label %again
again:
  br label %wait
finished:
  store atomic i64 0, ptr @busy seq_cst, align 8
  br label %out
out:
  ret void
}}

declare i64 @llvm.umin.i64(i64, i64)
"""

_lock = threading.Lock()


def default_count() -> int:
    """How many threads to use where nobody has said so: see the module's docstring."""
    for name in ("ADLIB_NUM_THREADS", "OMP_NUM_THREADS"):
        given = os.environ.get(name, "").split(",")[0].strip()
        if given.isdigit() and int(given) > 0:
            return min(int(given), MOST)
    usable = getattr(os, "process_cpu_count", None)
    if usable is not None:
        return min(usable() or 1, MOST)
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), MOST)
    return min(os.cpu_count() or 1, MOST)


class _Pool:
    """The native pool of this process."""

    def __init__(self) -> None:
        self.loaded = cache.load(_TEXT, _NAMES)
        self.addresses = self.loaded.addresses
        engine.write_pointers(self.addresses["links"], [address_of(n) for n in _LINKS])
        self.number("wanted").value = default_count()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def number(self, name: str) -> Any:
        """One of the pool's numbers, where it lies."""
        return ctypes.c_int64.from_address(self.addresses[name])

    def forget(self) -> None:
        """After a fork: the threads are the parent's, who may have been at work."""
        for name in ("started", "busy", "state"):
            self.number(name).value = 0
        ctypes.memset(self.addresses["signaled"], 0, 8 * MOST)


@functools.cache
def _pool() -> _Pool:
    return _Pool()


def pool() -> _Pool:
    """The pool, which is made once and never unloaded: its threads wait in its code."""
    with _lock:
        return _pool()


def run_address() -> int:
    """The address of ``void run(void function(int64 chunk, ptr args), ptr args, int64 count)``."""
    return int(pool().addresses["run"])


def count() -> int:
    """How many threads long loops are shared by, at most."""
    return int(pool().number("wanted").value)


def set_count(threads: int) -> None:
    """Share long loops of compiled programs by so many threads, the caller's included.

    Results do not depend on it. Raises ValueError for numbers that make no sense.

    >>> before = count()
    >>> set_count(2)
    >>> count()
    2
    >>> set_count(before)
    """
    if not 1 <= threads <= MOST:
        raise ValueError(
            f"the number of threads was given as {threads}.\n"
            f"  It has to be at least 1, and at most {MOST}.\n"
            "  Repair: set_count(1) runs everything on the caller's thread."
        )
    pool().number("wanted").value = threads
