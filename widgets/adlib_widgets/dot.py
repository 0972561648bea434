"""Graph records in the DOT language, for who wants to go on in Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adlib.inspect import EdgeRecord, GraphRecord, NodeRecord
from adlib.inspect.groups import Member, SourceText, grouped

_SHAPES = {
    "input": 'shape=box, style="rounded,filled", fillcolor="#e4eefb"',
    "constant": 'shape=box, style="rounded,dashed"',
    "output": 'shape=box, style="rounded,bold"',
    "equation": "shape=box",
}


def graph_dot(record: GraphRecord, sources: Mapping[str, SourceText] | None = None) -> str:
    """DOT text of a graph; nested graphs, named scopes and parts of long programs are clusters.

    Args:
      record: the graph.
      sources: functions and texts of the user's lines, to name parts by; as for ``grouped``.

    >>> print(graph_dot(GraphRecord((), ())))
    digraph jaxpr {
      graph [fontname="monospace"];
      node [fontname="monospace", fontsize=11];
    }
    """
    lines = [
        "digraph jaxpr {",
        '  graph [fontname="monospace"];',
        '  node [fontname="monospace", fontsize=11];',
        *("  " + line for line in _graph_lines(record, "", sources or {})),
        "}",
    ]
    return "\n".join(lines)


def quoted(text: str) -> str:
    """A DOT string; line breaks become DOT's own.

    >>> quoted('say "hi"')
    '"say \\\\"hi\\\\""'
    """
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{plain}"'


def _graph_lines(
    graph: GraphRecord, prefix: str, sources: Mapping[str, SourceText]
) -> Iterator[str]:
    by_id = {node.id: node for node in graph.nodes}

    def members(found: Sequence[Member]) -> Iterator[str]:
        for member in found:
            if isinstance(member, str):
                yield from _node_lines(by_id[member], prefix, sources)
                continue
            yield f"subgraph {quoted('cluster ' + prefix + member.id)} {{"
            yield f"  label={quoted(member.label)};"
            yield from ("  " + line for line in members(member.members))
            yield "}"

    yield from members(grouped(graph, sources))
    for edge in graph.edges:
        for source in _sources(by_id[edge.source], edge, prefix):
            for target in _targets(by_id[edge.target], edge, prefix):
                yield f"{quoted(source)} -> {quoted(target)} [tooltip={quoted(edge.name)}];"


def _node_lines(node: NodeRecord, prefix: str, sources: Mapping[str, SourceText]) -> Iterator[str]:
    results = " ".join(map(str, node.outputs))
    params = " ".join(f"{name}={text}" for name, text in node.params)
    if node.kind == "equation":
        texts = [" ".join((node.label, *node.operands)), params, results]
    elif node.kind == "output":
        texts = [f"out {node.label}"]
    else:
        texts = [node.note, results]
    label = quoted("\n".join(text for text in texts if text))
    name = prefix + node.id
    line = f"{quoted(name)} [label={label}, {_SHAPES[node.kind]}];"
    if not node.subgraphs:
        yield line
        return
    yield f"subgraph {quoted('cluster ' + name)} {{"
    yield f"  label={quoted(node.label)};"
    yield "  " + line
    for part in node.subgraphs:
        inside = f"{name}/{part.title}/"
        yield f"  subgraph {quoted('cluster ' + inside)} {{"
        yield f"    label={quoted(part.title)};"
        yield from ("    " + inner for inner in _graph_lines(part.graph, inside, sources))
        yield "  }"
    yield "}"


def _targets(node: NodeRecord, edge: EdgeRecord, prefix: str) -> list[str]:
    """The nested inputs that the edge feeds; the node itself where there are none."""
    found = [
        f"{prefix}{node.id}/{part.title}/in_{part.operands.index(edge.target_port)}"
        for part in node.subgraphs
        if edge.target_port in part.operands
    ]
    return found or [prefix + node.id]


def _sources(node: NodeRecord, edge: EdgeRecord, prefix: str) -> list[str]:
    """The nested outputs that the edge comes from; the node itself where there are none."""
    found = [
        f"{prefix}{node.id}/{part.title}/out_{part.results.index(edge.source_port)}"
        for part in node.subgraphs
        if edge.source_port in part.results
    ]
    return found or [prefix + node.id]
