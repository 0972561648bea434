"""What all magics share."""

import linecache

import pytest

from adlib_kernel.view_magics import ViewMagics


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_cell_has_its_own_number_wherever_the_counter_is(ipython, ahead):
    # IPython 8 counts a cell when it is done, IPython 9 when it starts
    ipython.run("from adlib_kernel.view_magics import ViewMagics\nshell = get_ipython()")
    before = ipython.shell.execution_count
    ipython.run(f"shell.execution_count += {ahead}\nnumber = ViewMagics(shell)._cell_number()")
    assert ipython.names["number"] == before


def test_outside_of_cells_the_counter_counts(ipython):
    assert ViewMagics(ipython.shell)._cell_number() == ipython.shell.execution_count


def test_the_text_of_a_cell_is_kept_for_tracebacks(ipython):
    code, place = ViewMagics(ipython.shell)._cell("!x\ny", "%%grad")
    assert linecache.getline(place["filename"], place["first_line"]) == "!x\n"
    assert code.startswith("get_ipython().system")
