"""Every public function under ``vmap``: what a loop gives (the tables of ``programs/``)."""

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from tests.public import programs

every = pytest.mark.parametrize(
    "program",
    [p for p in programs.all_of_them() if p.names and not p.has("no vmap")],
    ids=lambda p: p.text,
)


@pytest.fixture(autouse=True)
def double_precision():
    with adlib.enable_x64():
        yield


@every
def test_vmap(program):
    rows = [program.arguments(k) for k in range(len(programs.COPIES))]
    stacked = [jnp.stack(column) for column in zip(*rows, strict=True)]
    if program.has("vmap raises"):
        with pytest.raises(programs.NEEDS_VALUES):
            adlib.vmap(program)(*stacked)
        return
    looped = [programs.leaves(program(*row)) for row in rows]
    wanted = [np.stack(column) for column in zip(*looped, strict=True)]
    found = programs.leaves(adlib.vmap(program)(*stacked))
    programs.assert_close(found, wanted, program.tolerance or 1e-9, "vmap")
