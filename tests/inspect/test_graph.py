"""Graph records of jaxprs: nodes, edges, nested graphs, names and types as printed."""

import json
import re

import numpy as np
import pytest

import adlib
import adlib.numpy as jnp
from adlib import lax
from adlib.inspect import GraphRecord, graph_record


def log1pexp(x):
    return jnp.log(1.0 + jnp.exp(x))


@adlib.custom_jvp
def rectified(x):
    return jnp.maximum(x, 0.0)


rectified.defjvp(lambda x, t: (rectified(*x), jnp.where(x[0] > 0, t[0], 0.0)))


def loop(weights, rows):
    def body(carry, row):
        carry = jnp.tanh(carry @ weights + row)
        return carry, carry.sum()

    return lax.scan(body, jnp.zeros(3), rows)[1].sum()


LOOP_ARGS = (np.ones((3, 3), np.float32), np.ones((5, 3), np.float32))

CONSTANT = np.arange(3.0)
JITTED = adlib.jit(log1pexp)

PROGRAMS = {
    "elementwise": (adlib.grad(log1pexp), (1.0,)),
    "matrix": (lambda a, b: (a @ b).sum(axis=0), (np.ones((2, 3)), np.ones((3, 4)))),
    "scan": (loop, LOOP_ARGS),
    "gradient of scan": (adlib.grad(loop), LOOP_ARGS),
    "while": (lambda x: lax.while_loop(lambda c: c < 3.0, lambda c: c * x, x), (2.0,)),
    "cond": (lambda x: lax.cond(x > 0, jnp.sin, jnp.cos, x), (1.0,)),
    "jit": (lambda x: adlib.jit(log1pexp)(x) * x, (1.0,)),
    "same jit twice": (lambda x: JITTED(JITTED(x)), (1.0,)),
    "custom rule": (lambda x: rectified(x).sum(), (np.ones(3),)),
    "constant": (lambda x: x * jnp.asarray(CONSTANT), (np.ones(3),)),
    "literal output": (lambda x: (x, 1.0), (1.0,)),
}


@pytest.fixture(params=PROGRAMS, ids=str)
def traced(request):
    function, args = PROGRAMS[request.param]
    return adlib.make_jaxpr(function)(*args)


def graphs_in(record: GraphRecord):
    yield record
    for node in record.nodes:
        for part in node.subgraphs:
            yield from graphs_in(part.graph)


def test_names_and_types_are_those_of_the_printed_jaxpr(traced):
    printed = set(re.findall(r"\b\w+:\w+\[[\d,]*\]", str(traced)))
    record = graph_record(traced)
    recorded = {str(v) for g in graphs_in(record) for n in g.nodes for v in n.outputs}
    assert recorded and {text for text in recorded if not text.startswith("_:")} <= printed


def test_each_edge_leads_from_a_definition_to_an_operand_of_that_name(traced):
    for graph in graphs_in(graph_record(traced)):
        by_id = {node.id: node for node in graph.nodes}
        assert len(by_id) == len(graph.nodes)
        for edge in graph.edges:
            value = by_id[edge.source].outputs[edge.source_port]
            assert (value.name, value.type) == (edge.name, edge.type)
            assert by_id[edge.target].operands[edge.target_port] == edge.name


def test_every_operand_that_is_no_literal_has_an_edge(traced):
    for graph in graphs_in(graph_record(traced)):
        targets = {(edge.target, edge.target_port) for edge in graph.edges}
        for node in graph.nodes:
            for port, operand in enumerate(node.operands):
                assert ((node.id, port) in targets) == operand.isalpha() or operand in (
                    "True", "False", "inf", "nan",
                )  # fmt: skip


def test_the_record_goes_through_json(traced):
    record = graph_record(traced)
    data = record.to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["version"] == 1 and len(data["nodes"]) == len(record.nodes)


def test_tracing_again_gives_an_equal_record():
    function, args = PROGRAMS["gradient of scan"]
    first, second = (graph_record(adlib.make_jaxpr(function)(*args)) for _ in range(2))
    assert first == second and hash(first) == hash(second)


def test_the_graph_of_a_gradient():
    record = graph_record(adlib.make_jaxpr(adlib.grad(log1pexp))(1.0))
    assert [node.id for node in record.nodes] == [
        "in_0", "exp_0", "add_0", "log_0", "div_0", "mul_0", "out_0",
    ]  # fmt: skip
    add = record.nodes[2]
    assert add.operands == ("1.0", "b") and str(add.outputs[0]) == "c:f32[]"
    assert record.nodes[3].outputs[0].name == "_"  # nothing reads the logarithm
    assert [(e.source, e.target) for e in record.edges if e.name == "b"] == [
        ("exp_0", "add_0"),
        ("exp_0", "mul_0"),
    ]


def test_equations_are_numbered_by_primitive():
    record = graph_record(adlib.make_jaxpr(lambda x: jnp.sin(jnp.sin(x) * x) * x)(1.0))
    ids = [node.id for node in record.of_kind("equation")]
    assert ids == ["sin_0", "mul_0", "sin_1", "mul_1"]


def test_the_source_is_the_users_line():
    record = graph_record(adlib.make_jaxpr(log1pexp)(1.0))
    line = log1pexp.__code__.co_firstlineno + 1
    assert {node.source for node in record.of_kind("equation")} == {f"test_graph.py:{line}"}


def test_loops_say_what_their_inputs_are_and_where_they_come_from():
    record = graph_record(adlib.make_jaxpr(loop)(*LOOP_ARGS))
    scan = next(node for node in record.nodes if node.label == "scan")
    (part,) = scan.subgraphs
    assert part.title == "body"
    assert [node.note for node in part.graph.of_kind("input")] == ["const", "carry", "slice"]
    assert part.operands == (0, 1, 2) and part.results == (0, 1)
    assert ("length", "5") in scan.params


def test_while_loops_have_a_condition_and_a_body():
    function, args = PROGRAMS["while"]
    record = graph_record(adlib.make_jaxpr(function)(*args))
    loop_node = next(node for node in record.nodes if node.label == "while")
    parts = {part.title: part for part in loop_node.subgraphs}
    assert set(parts) == {"body", "condition"}
    assert parts["condition"].results == () and parts["body"].results == (0,)
    body_inputs = parts["body"].graph.of_kind("input")
    assert [node.note for node in body_inputs] == ["const", "carry"]
    assert len(parts["body"].operands) == 2


def test_branches_are_named_and_leave_out_the_choice():
    function, args = PROGRAMS["cond"]
    record = graph_record(adlib.make_jaxpr(function)(*args))
    node = next(node for node in record.nodes if node.label == "cond")
    assert [part.title for part in node.subgraphs] == ["false branch", "true branch"]
    assert [part.operands for part in node.subgraphs] == [(1,), (1,)]


def test_a_called_function_goes_by_its_name():
    function, args = PROGRAMS["jit"]
    record = graph_record(adlib.make_jaxpr(function)(*args))
    node = next(node for node in record.nodes if node.label == "jit")
    assert node.subgraphs[0].title == "log1pexp" and node.params == ()


def test_parameters_are_short_and_leave_out_what_the_type_says():
    record = graph_record(
        adlib.make_jaxpr(lambda a, b: jnp.broadcast_to((a @ b).sum(axis=0), (7, 4)))(
            np.ones((2, 3)), np.ones((3, 4))
        )
    )
    params = {node.label: node.params for node in record.of_kind("equation")}
    assert params["dot_general"] == (("contract", "1·0"),)
    assert ("axes", "(0,)") in params["reduce_sum"]
    assert "shape" not in dict(params["broadcast_in_dim"])


def test_small_constants_show_their_entries():
    function, args = PROGRAMS["constant"]
    record = graph_record(adlib.make_jaxpr(function)(*args))
    (constant,) = record.of_kind("constant")
    assert constant.note == "[0. 1. 2.]" and constant.outputs[0].type == "f32[3]"


def test_input_names_become_notes():
    jaxpr = adlib.make_jaxpr(lambda x, y: x * y)(1.0, 2.0)
    record = graph_record(jaxpr, input_names=["x", "y"])
    assert [node.note for node in record.of_kind("input")] == ["x", "y"]
    with pytest.raises(ValueError, match="it has 1 names, the jaxpr 2 inputs"):
        graph_record(jaxpr, input_names=["x"])


def test_what_is_no_jaxpr_is_refused_with_the_repair():
    with pytest.raises(TypeError, match="graph_record wants a jaxpr.*'function'. Call make_jaxpr"):
        graph_record(log1pexp)
    with pytest.raises(TypeError, match="it was given an object of type 'float'.$"):
        graph_record(1.0)
