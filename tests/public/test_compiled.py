"""Every public function under ``jit``: what it gives without (the tables of ``programs/``)."""

import pytest

import adlib
from tests.public import programs

every = pytest.mark.parametrize("program", programs.all_of_them(), ids=lambda p: p.text)


@pytest.fixture(autouse=True)
def double_precision():
    with adlib.enable_x64():
        yield


@every
def test_jit(program):
    args = program.arguments()
    if program.has("jit raises"):
        with pytest.raises(programs.NEEDS_VALUES):
            adlib.jit(program)(*args)
        return
    tol = program.tolerance or 1e-10
    programs.assert_close(adlib.jit(program)(*args), program(*args), tol, "jit")
