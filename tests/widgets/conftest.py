"""A graph whose every text tries to become markup."""

import pytest

from adlib.inspect import EdgeRecord, GraphRecord, NodeRecord, SubgraphRecord, ValueRecord

NASTY = '<script>alert("x")</script>&\u0000\ud800'


@pytest.fixture
def nasty_graph() -> GraphRecord:
    """A graph in which every text comes from somebody who wants to do harm."""
    value = ValueRecord(NASTY, NASTY)
    inner = GraphRecord(
        (
            NodeRecord("in_0", "input", NASTY, outputs=(value,), note=NASTY),
            NodeRecord("out_0", "output", NASTY, operands=(NASTY,), note=NASTY),
        ),
        (EdgeRecord("in_0", 0, "out_0", 0, NASTY, NASTY),),
    )
    call = NodeRecord(
        "jit_0",
        "equation",
        NASTY,
        operands=(NASTY,),
        params=((NASTY, NASTY),),
        outputs=(value,),
        source=NASTY,
        subgraphs=(SubgraphRecord(NASTY, inner, (0,), (0,)),),
    )
    leaf = NodeRecord("sin_0", "equation", NASTY, (NASTY,), ((NASTY, NASTY),), (value,), NASTY)
    nodes = (
        NodeRecord("const_0", "constant", NASTY, outputs=(value,), note=NASTY),
        NodeRecord("in_0", "input", NASTY, outputs=(value,), note=NASTY),
        call,
        leaf,
        NodeRecord("out_0", "output", NASTY, operands=(NASTY,), note=NASTY),
    )
    edges = (
        EdgeRecord("in_0", 0, "jit_0", 0, NASTY, NASTY),
        EdgeRecord("jit_0", 0, "sin_0", 0, NASTY, NASTY),
        EdgeRecord("sin_0", 0, "out_0", 0, NASTY, NASTY),
    )
    return GraphRecord(nodes, edges)


@pytest.fixture
def nasty() -> str:
    return NASTY
