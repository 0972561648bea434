"""DOT text of graphs."""

import re

import numpy as np

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.inspect import graph_record
from adlib_widgets import show_jaxpr
from adlib_widgets.dot import graph_dot, quoted


def names_in(text: str) -> tuple[set[str], set[str]]:
    defined = set(re.findall(r'^\s*"([^"]+)" \[label=', text, re.MULTILINE))
    linked = {n for pair in re.findall(r'"([^"]+)" -> "([^"]+)"', text) for n in pair}
    return defined, linked


def test_links_join_defined_nodes():
    def body(carry, row):
        return carry * row, carry

    jaxpr = adlib.make_jaxpr(
        lambda x, rows: lax.cond(x > 0, jnp.sin, jnp.cos, lax.scan(body, x, rows)[0])
    )(1.0, np.ones(3))
    text = graph_dot(graph_record(jaxpr))
    defined, linked = names_in(text)
    assert linked <= defined
    assert "scan_0/body/mul_0" in defined and "scan_0/body/in_0" in linked
    assert text.count("{") == text.count("}") and text.count("subgraph") == 5


def test_a_small_graph():
    jaxpr = adlib.make_jaxpr(lambda x: jnp.sin(x))(1.0)
    assert graph_dot(graph_record(jaxpr, input_names=["x"])).splitlines()[3:-1] == [
        '  "in_0" [label="x\\na:f32[]", shape=box, style="rounded,filled", fillcolor="#e4eefb"];',
        '  "sin_0" [label="sin a\\nb:f32[]", shape=box];',
        '  "out_0" [label="out b", shape=box, style="rounded,bold"];',
        '  "in_0" -> "sin_0" [tooltip="a"];',
        '  "sin_0" -> "out_0" [tooltip="b"];',
    ]


def test_texts_of_the_user_stay_inside_of_their_quotes(nasty_graph):
    text = graph_dot(nasty_graph)
    rest = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert "script" not in rest
    assert quoted('a"b\\l\nc') == '"a\\"b\\\\l\\nc"'


def test_named_scopes_and_parts_of_long_programs_are_clusters():
    def program(x):
        with adlib.named_scope("start"):
            x = jnp.exp(x)
        for _ in range(70):
            x = jnp.sin(x) * 2.0
        return x

    text = show_jaxpr(program)(1.0).to_dot()
    assert 'label="start";' in text and 'label="step ×70";' in text
    assert text.count("{") == text.count("}") and text.count("[label=") == 1 + 140 + 2
