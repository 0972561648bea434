"""A program line by line, with the user's code."""

import json
from dataclasses import asdict

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.inspect import graph_record
from adlib.inspect.listing import listing_record
from adlib_widgets.html import walk_equations


def loop(weights, rows):
    def body(carry, row):
        carry = jnp.tanh(carry @ weights + row)
        return carry, carry.sum()

    return lax.scan(body, jnp.zeros(3), rows)[1].sum()


ARGS = (np.ones((3, 3), np.float32), np.ones((5, 3), np.float32))


def test_every_equation_has_its_line_under_the_name_of_its_node():
    jaxpr = adlib.make_jaxpr(adlib.grad(loop))(*ARGS)
    paths = [line.path for line in listing_record(jaxpr).lines if line.kind == "equation"]
    assert paths == [path for path, _ in walk_equations(graph_record(jaxpr))]


def test_lines_are_those_of_the_printed_form_where_it_has_one_per_equation():
    jaxpr = adlib.make_jaxpr(lambda x: jnp.log(1.0 + jnp.exp(x)))(1.0)
    printed = str(jaxpr)
    for line in listing_record(jaxpr).lines:
        if line.kind == "equation":
            assert line.text in printed


def test_nested_programs_are_indented_under_their_equation():
    lines = listing_record(adlib.make_jaxpr(loop)(*ARGS)).lines
    scan = next(i for i, line in enumerate(lines) if line.path == "scan_0")
    assert lines[scan].kind == "equation" and "jaxpr" not in lines[scan].text
    head, first = lines[scan + 1 : scan + 3]
    assert head.kind == "head" and head.text.startswith("body={ lambda ; ")
    assert head.path == "scan_0" and head.indent == 2
    assert first.path == "scan_0/body/dot_general_0" and first.indent == 3
    assert lines[-1].kind == "end" and lines[-1].text.endswith("}")


def test_lines_know_the_users_line_and_the_code_is_there():
    record = listing_record(adlib.make_jaxpr(loop)(*ARGS))
    start = loop.__code__.co_firstlineno
    tanh = next(line for line in record.lines if " = tanh " in line.text)
    assert tanh.source == f"test_listing.py:{start + 2}" and tanh.function == "body"
    assert tanh.source_text == "carry = jnp.tanh(carry @ weights + row)"
    (block,) = record.sources
    assert (block.name, block.first) == ("test_listing.py", start)
    assert block.lines[0] == "def loop(weights, rows):" and len(block.lines) == 6


def test_a_cell_is_shown_whole_under_its_number(monkeypatch):
    import linecache

    from adlib.base import source

    text = "import adlib.numpy as jnp\n\ndef f(x):\n    return jnp.sin(x)\n"
    name = "/tmp/cell_of_a_test.py"
    monkeypatch.setitem(linecache.cache, name, (len(text), None, text.splitlines(True), name))
    monkeypatch.setattr(source, "_short_name", lambda file: "In[3]" if file == name else file)
    space = {}
    exec(compile(text, name, "exec"), space)
    record = listing_record(adlib.make_jaxpr(space["f"])(1.0))
    (block,) = record.sources
    assert (block.name, block.first, block.lines) == ("In[3]", 1, tuple(text.splitlines()))
    assert record.lines[1].source == "In[3]:4"


def test_the_record_goes_through_json():
    record = asdict(listing_record(adlib.make_jaxpr(loop)(*ARGS)))
    assert json.loads(json.dumps(record))["lines"][0]["kind"] == "head"


def test_derived_equations_inside_of_a_loop_keep_the_lines_they_come_from():
    record = listing_record(adlib.make_jaxpr(adlib.grad(loop))(*ARGS))
    start = loop.__code__.co_firstlineno
    found = {
        line.text.split(" = ")[1].split("[")[0].split(" ")[0]: line.source
        for line in record.lines
        if line.path.startswith(("scan_0/", "scan_1/"))
    }
    for name in ("tanh", "sub", "mul", "dot_general", "transpose"):
        assert found[name] == f"test_listing.py:{start + 2}"
    assert found["reduce_sum"] == found["broadcast_in_dim"] == f"test_listing.py:{start + 3}"
