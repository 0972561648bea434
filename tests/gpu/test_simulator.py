"""The simulator of CUDA C: mistakes that a card would punish, or hide, come to light."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.gpu import simulator

pytestmark = pytest.mark.skipif(simulator.compiler() is None, reason="there is no C++ compiler")

SUM = """
extern "C" __global__ void sum(const float* __restrict__ x, float* __restrict__ y) {
  __shared__ float s[256];
  s[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) s[threadIdx.x] += s[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = s[0];
  __syncthreads();
}
"""
ATOMIC = """
extern "C" __global__ void add(const float* __restrict__ x, float* __restrict__ y) {
  atomicAdd(y + threadIdx.x % 3, x[threadIdx.x]);
}
"""
SWAP = """
extern "C" __global__ void swap(const s32* __restrict__ x, s32* __restrict__ y) {
  int seen = *y, old;
  do { old = seen; seen = atomicCAS(y, old, old + x[threadIdx.x]); } while (seen != old);
}
"""


def launch(code, name, *arrays, blocks=1, threads=256):
    module = simulator.Simulator()("typedef int s32;\n" + code)
    held = tuple([SimpleNamespace(held=a) for a in arrays])
    module.get_function(name)((blocks,), (threads,), held)


def test_a_block_meets_at_barriers():
    x, y = np.arange(512, dtype="f4"), np.zeros(2, "f4")
    launch(SUM, "sum", x, y, blocks=2)
    np.testing.assert_array_equal(y, x.reshape(2, 256).sum(1))


def test_a_missing_barrier_gives_wrong_numbers():
    x, y = np.arange(256, dtype="f4"), np.zeros(1, "f4")
    first = SUM.index("  __syncthreads();\n  for")
    launch(SUM[:first] + SUM[first:].replace("__syncthreads();", "", 1), "sum", x, y)
    assert y[0] != x.sum()
    inner = SUM.index("    __syncthreads();\n  }")
    launch(SUM[:inner] + SUM[inner:].replace("__syncthreads();", "", 1), "sum", x, y)
    assert y[0] != x.sum()


def test_a_barrier_that_not_all_reach_is_an_error():
    x, y = np.zeros(256, "f4"), np.zeros(1, "f4")
    some = SUM.replace(
        "{\n    if (threadIdx", "{\n    if (threadIdx.x > 9) return;\n    if (threadIdx"
    )
    with pytest.raises(AssertionError, match="some threads of a block ended while others wait"):
        launch(some, "sum", x, y)
    branches = SUM.replace(
        "  __syncthreads();\n  for",
        "  if (threadIdx.x) { __syncthreads();\n } else {\n __syncthreads(); }\n  for",
    )
    with pytest.raises(AssertionError, match="threads of a block wait at different barriers"):
        launch(branches, "sum", x, y)


def test_atomic_operations_lose_nothing_and_others_do():
    x, y = np.ones(255, "f4"), np.zeros(3, "f4")
    launch(ATOMIC, "add", x, y, threads=255)
    assert y.tolist() == [85.0] * 3
    count, whole = np.ones(200, "i4"), np.zeros(1, "i4")
    launch(SWAP, "swap", count, whole, threads=200)
    assert whole[0] == 200
    once = SWAP.replace("while (seen != old)", "while (false)")  # whoever comes second is lost
    launch(once, "swap", count, whole, threads=200)
    assert whole[0] < 400


def test_what_is_written_beside_an_array_is_an_error():
    code = 'extern "C" __global__ void f(float* __restrict__ x) {\n  x[threadIdx.x] = 1;\n}\n'
    x = np.zeros(5, "f4")
    launch(code, "f", x, threads=5)
    assert x.tolist() == [1.0] * 5
    with pytest.raises(AssertionError, match="f writes beside an array"):
        launch(code, "f", x, threads=6)
