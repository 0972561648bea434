"""Random programs as CUDA C against the reference executor (see tests/compile/noise.py).

``ADLIB_FUZZ=5000 pytest tests/gpu/test_cuda_random.py`` tries as many; a failure names its seed.
"""

import os
import random

import numpy as np
import pytest

import adlib
from adlib.compile.cuda.program import GpuProgram
from tests.compile.noise import differences
from tests.compile.random_programs import random_case

TOGETHER = 20  # programs that are compiled at once
COUNT = int(os.environ.get("ADLIB_FUZZ", "80").rpartition(":")[2])


@pytest.mark.parametrize("first", range(0, COUNT, TOGETHER))
def test_programs_of_seeds(first, cuda):
    made = []
    for seed in range(first, first + TOGETHER):
        case = random_case(random.Random(seed))
        with adlib.enable_x64(case.x64):
            made.append((seed, case, GpuProgram(case.closed, cuda)))
    for seed, case, program in made:
        arguments = [cuda.asarray(np.array(v)) for v in case.values]
        with adlib.config.override(jit_backend="python"), adlib.enable_x64(case.x64):
            with np.errstate(all="ignore"):
                found = [out.get() for out in program.function(*arguments)]
            wrong = differences(found, case.closed, case.values)
            wrong = wrong and differences(found, case.closed, case.values, 40)
        assert not wrong, f"seed {seed}: {wrong[0]}\n{case.closed}\n{program.cuda}"
