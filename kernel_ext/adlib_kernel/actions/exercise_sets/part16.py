"""Exercises of 16, the GPU: rounds of a grid, bytes of a fused kernel, sums of a block."""

from __future__ import annotations

from typing import Any

import numpy as np

import adlib.numpy as jnp
from adlib_kernel.actions.exercise_sets.task import Task


def _rounds(n: int, threads: int) -> int:
    return -(-n // threads)


def _halvings(threads: int) -> int:
    return threads.bit_length() - 1


def _shares(x: Any, threads: int) -> Any:
    return jnp.sum(x.reshape(-1, threads), axis=0)


def _numbers(rng: np.random.Generator) -> tuple[Any, int]:
    threads = int(rng.choice([2, 4, 8]))
    return jnp.asarray(rng.normal(size=threads * int(rng.integers(3, 7))), jnp.float32), threads


TASKS = (
    Task(
        "rounds",
        "warm-up",
        _rounds,
        (
            "Each round is one entry for each thread.",
            "In the last round some threads may find no entry left; it takes place all the same.",
            "Divide and round up: -(-n // threads).",
        ),
        {
            "points": [(1000, 256), (1024, 256), (1, 256), (10**6, 4096), (7, 3)],
            "mistakes": {
                "the entries that whole rounds leave over need one more round": (
                    lambda n, threads: n // threads
                ),
                "where n is a multiple of the threads, there is no further round": (
                    lambda n, threads: n // threads + 1
                ),
                "there are no fractions of a round": lambda n, threads: n / threads,
            },
        },
    ),
    Task(
        "fusion_gain",
        "practice",
        3.5,
        (
            "Count arrays that are read and arrays that are written, kernel by kernel.",
            "The fused kernel reads x once and writes the result: two arrays.",
            "One by one: x*x reads one array and writes one, 2*x too; the sum reads two and "
            "writes one.",
        ),
        {
            "mistakes": {
                "that counts kernels; each moves more than one array": 3.0,
                "reading costs as much as writing: count what each kernel reads, too": 1.5,
                "x*x has to read x only once": 4.0,
                "it is the other way round: how many times as much as fused": 2 / 7,
            }
        },
    ),
    Task(
        "halvings",
        "practice",
        _halvings,
        (
            "After the first round, half as many numbers are left.",
            "Go on until one is left: for 8 numbers 4, 2, 1.",
            "It is the logarithm of the number of threads, to the base 2.",
        ),
        {
            "points": [(256,), (32,), (2,), (1,), (1024,)],
            "mistakes": {
                "that is one addition after the other; here many take place at once": (
                    lambda threads: threads - 1
                ),
                "those are the additions of the first round": lambda threads: threads // 2,
                "the last round leaves one number, and there is none after it": (
                    lambda threads: threads.bit_length()
                ),
            },
        },
    ),
    Task(
        "shares",
        "stretch",
        _shares,
        (
            "Thread 0 takes the entries 0, threads, 2·threads, …",
            "x[t::threads] are the entries of thread t.",
            "Or make rows of one round each, x.reshape(-1, threads), and sum over the rounds.",
        ),
        {
            "points": _numbers,
            "mistakes": {
                "that gives each thread a piece of its own, so that neighbouring threads read far "
                "apart: let them read neighbours": (
                    lambda x, threads: jnp.sum(x.reshape(threads, -1), axis=1)
                ),
                "those are the numbers that the first round reads; add the later rounds": (
                    lambda x, threads: x[:threads]
                ),
                "that is what the block makes of the shares in the end": (
                    lambda x, threads: jnp.sum(x)
                ),
            },
        },
    ),
)
