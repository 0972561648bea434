"""Reads the tables of published numbers and makes one test of each line."""

import re

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import random

LAYOUTS = {
    "32": (True, False),
    "32-old": (False, False),
    "64": (True, True),
    "64-old": (False, True),
}
# Rounding in the last places differs between machines and libraries.
TOLERANCE = {"float16": 2e-3, "bfloat16": 8e-3, "float32": 2e-6, "complex64": 2e-6}


class Published:
    """One expression with the result that it has under one layout of counters."""

    def __init__(self, name, code, layout, dtype, shape, words):
        self.name, self.code, self.layout = name, code, layout
        self.dtype, self.shape, self.words = dtype, shape, words

    def __repr__(self):
        return f"{self.name}-{self.layout}"

    def compute(self):
        partitionable, x64 = LAYOUTS[self.layout]
        with adlib.threefry_partitionable(partitionable), adlib.enable_x64(x64):
            cov = jnp.array([[2.0, 0.5], [0.5, 1.0]])
            return eval(self.code, {"r": random, "jnp": jnp, "k": random.key(42), "cov": cov})

    def expected(self):
        if self.dtype.startswith("complex"):
            parts = np.array(self.words, np.float64).reshape(*self.shape, 2)
            return parts[..., 0] + 1j * parts[..., 1]
        words = [float(w) if "float" in self.dtype else int(w) for w in self.words]
        # integers as Python's: uint64 does not fit float64
        return np.array(words, object if "int" in self.dtype else None).reshape(self.shape)

    def check(self):
        found = self.compute()
        assert (found.dtype.name, found.shape) == (self.dtype, self.shape)
        value, expected = np.asarray(found), self.expected()
        if "float" in self.dtype or self.dtype.startswith("complex"):
            tolerance = TOLERANCE.get(self.dtype, 1e-12)
            wide = value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)
            np.testing.assert_allclose(wide, expected, rtol=tolerance, atol=tolerance)
        else:
            assert value.astype(object).tolist() == expected.tolist()


def read(table):
    """The cases of a table: unindented lines name them, indented ones give results."""
    joined = re.sub(r"\n {6}", " ", table)
    cases = []
    for line in joined.strip().splitlines():
        if not line.startswith("  "):
            name, code = (part.strip() for part in line.split("|", 1))
            continue
        head, words = line.split(":")
        layout, dtype, sizes = re.fullmatch(r"\s*(\S+) (\w+)\[([\d,]*)\]", head).groups()
        shape = tuple(int(n) for n in sizes.split(",") if n)
        cases.append(Published(name, code, layout, dtype, shape, words.split()))
    return cases


def pytest_generate_tests(metafunc):
    if "published" in metafunc.fixturenames:
        metafunc.parametrize("published", read(metafunc.module.PUBLISHED), ids=repr)
