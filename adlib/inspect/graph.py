"""A jaxpr as a graph: nodes, edges and nested graphs, frozen and ready for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adlib.core import ClosedJaxpr, Eqn, Jaxpr, Literal, Var
from adlib.core.printer import variable_names
from adlib.inspect.texts import (
    constant_text,
    literal_text,
    nested_programs,
    param_texts,
    program_title,
)

VERSION = 1


@dataclass(frozen=True, slots=True)
class ValueRecord:
    """A variable: its letters and its type, e.g. ``b`` and ``f32[3,4]``.

    The letters are ``_`` where nothing reads it.
    """

    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.name}:{self.type}"


@dataclass(frozen=True, slots=True)
class SubgraphRecord:
    """A jaxpr inside of an equation.

    Attributes:
      title: what it is to the equation: ``body``, ``condition``, ``branch 0``, a function's name.
      graph: the nested graph.
      operands: for each input of the nested graph, the position of the equation's operand
        that feeds it; empty where that is not one to one.
      results: for each output of the nested graph, the position of the equation's output
        that it becomes; empty where that is not one to one.
    """

    title: str
    graph: GraphRecord
    operands: tuple[int, ...] = ()
    results: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """An input, a constant, an equation or an output of a jaxpr.

    Attributes:
      id: stable name, unique in its graph: ``in_0``, ``const_0``, ``mul_3`` (the fourth
        ``mul``), ``out_0``.
      kind: ``input``, ``constant``, ``equation`` or ``output``.
      label: the primitive's name, or the variable's.
      operands: the operands as they print, in order: variable names and literals.
      params: the parameters worth reading, as (name, short text).
      outputs: the variables that the node defines.
      source: the user's line, ``In[3]:2`` or ``model.py:17``; empty if not known.
      note: an input's name in the function, or its role in a loop (``const``, ``carry``,
        ``slice``); the entries of a small constant; the type of an output.
      subgraphs: the jaxprs among the parameters.
      scope: the ``named_scope`` blocks that it was traced in, outermost first.
    """

    id: str
    kind: str
    label: str
    operands: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    outputs: tuple[ValueRecord, ...] = ()
    source: str = ""
    note: str = ""
    subgraphs: tuple[SubgraphRecord, ...] = ()
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """A variable on its way from the node that defines it to one that reads it.

    ``source_port`` counts the source's outputs, ``target_port`` the target's operands.
    """

    source: str
    source_port: int
    target: str
    target_port: int
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """A jaxpr as nodes and edges, in the order of the program.

    Attributes:
      nodes: constants, inputs, equations, outputs, in that order.
      edges: by target, then by operand.
      version: of this record's form; it grows when a field changes its meaning.
    """

    nodes: tuple[NodeRecord, ...]
    edges: tuple[EdgeRecord, ...]
    version: int = VERSION

    def of_kind(self, kind: str) -> tuple[NodeRecord, ...]:
        """The nodes of one kind, in order."""
        return tuple(node for node in self.nodes if node.kind == kind)

    def to_json(self) -> dict[str, Any]:
        """The record as dicts, lists, strings and ints only.

        >>> GraphRecord((), ()).to_json()
        {'nodes': [], 'edges': [], 'version': 1}
        """
        return _with_lists(asdict(self))


def graph_record(
    jaxpr: ClosedJaxpr | Jaxpr, *, input_names: Sequence[str] | None = None
) -> GraphRecord:
    """The graph of a jaxpr.

    Args:
      jaxpr: what ``make_jaxpr(f)(*args)`` gives; a ``Jaxpr`` without constants does too.
      input_names: what the function calls its inputs, one name per input of the jaxpr.

    Returns:
      A ``GraphRecord``; its variables are named and typed as in the printed jaxpr.

    Raises:
      TypeError: if ``jaxpr`` is not a jaxpr.
      ValueError: if ``input_names`` does not have one name per input.

    >>> import adlib, adlib.numpy as jnp
    >>> record = graph_record(adlib.make_jaxpr(lambda x: jnp.sin(x) * x)(1.0))
    >>> [node.id for node in record.nodes]
    ['in_0', 'sin_0', 'mul_0', 'out_0']
    >>> [(edge.name, edge.source, edge.target) for edge in record.edges]
    [('a', 'in_0', 'sin_0'), ('b', 'sin_0', 'mul_0'), ('a', 'in_0', 'mul_0'), \
('c', 'mul_0', 'out_0')]
    """
    if not isinstance(jaxpr, (ClosedJaxpr, Jaxpr)):
        repair = " Call make_jaxpr(f)(*args) first." if callable(jaxpr) else ""
        kind = type(jaxpr).__name__
        raise TypeError(
            f"graph_record wants a jaxpr, as make_jaxpr(f)(*args) gives it; "
            f"it was given an object of type {kind!r}.{repair}"
        )
    inner = _opened(jaxpr)
    notes = tuple(input_names or ())
    if notes and len(notes) != len(inner.invars):
        raise ValueError(
            f"input_names wants one name per input of the jaxpr: it has {len(notes)} names, "
            f"the jaxpr {len(inner.invars)} inputs."
        )
    return _Recorder(variable_names(inner)).graph(jaxpr, notes)


def _opened(jaxpr: ClosedJaxpr | Jaxpr) -> Jaxpr:
    return jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr


class _Recorder:
    """Builds the records of one jaxpr and of those nested in it, under one naming."""

    def __init__(self, names: dict[Var, str]) -> None:
        self.names = names

    def graph(self, jaxpr: ClosedJaxpr | Jaxpr, notes: tuple[str, ...]) -> GraphRecord:
        inner = _opened(jaxpr)
        consts = jaxpr.consts if isinstance(jaxpr, ClosedJaxpr) else ()
        nodes: list[NodeRecord] = []
        edges: list[EdgeRecord] = []
        origin: dict[Var, tuple[str, int]] = {}  # which output of which node a variable is

        def connect(atoms: Sequence[Any], target: str) -> None:
            for port, atom in enumerate(atoms):
                if not isinstance(atom, Literal):
                    value = self.value(atom)
                    edges.append(EdgeRecord(*origin[atom], target, port, value.name, value.type))

        for i, var in enumerate(inner.constvars):
            note = constant_text(consts[i]) if i < len(consts) else ""
            nodes.append(self.start(f"const_{i}", "constant", var, note))
            origin[var] = (nodes[-1].id, 0)
        for i, var in enumerate(inner.invars):
            nodes.append(self.start(f"in_{i}", "input", var, notes[i] if notes else ""))
            origin[var] = (nodes[-1].id, 0)
        count: Counter[str] = Counter()
        for eqn in inner.eqns:
            nodes.append(self.equation(eqn, count[eqn.primitive.name]))
            count[eqn.primitive.name] += 1
            connect(eqn.invars, nodes[-1].id)
            origin.update((var, (nodes[-1].id, i)) for i, var in enumerate(eqn.outvars))
        for i, atom in enumerate(inner.outvars):
            text = self.operand(atom)
            kind = atom.aval.str_short()
            nodes.append(NodeRecord(f"out_{i}", "output", text, operands=(text,), note=kind))
            connect([atom], nodes[-1].id)
        return GraphRecord(tuple(nodes), tuple(edges))

    def value(self, var: Var) -> ValueRecord:
        return ValueRecord(self.names.get(var, "_"), var.aval.str_short())

    def operand(self, atom: Var | Literal) -> str:
        return literal_text(atom) if isinstance(atom, Literal) else self.value(atom).name

    def start(self, node_id: str, kind: str, var: Var, note: str) -> NodeRecord:
        value = self.value(var)
        return NodeRecord(node_id, kind, value.name, outputs=(value,), note=note)

    def equation(self, eqn: Eqn, number: int) -> NodeRecord:
        return NodeRecord(
            id=f"{eqn.primitive.name}_{number}",
            kind="equation",
            label=eqn.primitive.name,
            operands=tuple(self.operand(atom) for atom in eqn.invars),
            params=param_texts(eqn),
            outputs=tuple(self.value(var) for var in eqn.outvars),
            source="" if eqn.source is None else eqn.source.summary(),
            subgraphs=tuple(self.subgraph(eqn, *found) for found in nested_programs(eqn.params)),
            scope=() if eqn.source is None else eqn.source.scope,
        )

    def subgraph(
        self, eqn: Eqn, param: str, position: int | None, jaxpr: ClosedJaxpr | Jaxpr
    ) -> SubgraphRecord:
        inner = _opened(jaxpr)
        roles = _input_roles(eqn, param, len(inner.invars))
        mapped = param != "cond_jaxpr" and len(inner.outvars) == len(eqn.outvars)
        return SubgraphRecord(
            title=program_title(eqn, param, position),
            graph=self.graph(jaxpr, roles),
            operands=_operand_positions(eqn, param, len(inner.invars)),
            results=tuple(range(len(eqn.outvars))) if mapped else (),
        )


def _operand_positions(eqn: Eqn, param: str, num_inputs: int) -> tuple[int, ...]:
    """Which operand feeds each input of the jaxpr under ``param``; empty if not one to one."""
    num_operands = len(eqn.invars)
    if param == "branches":  # the first operand chooses the branch
        first = num_operands - num_inputs
        return tuple(range(first, num_operands)) if first >= 0 else ()
    if param in ("cond_jaxpr", "body_jaxpr"):
        cond, body = eqn.params.get("cond_nconsts", 0), eqn.params.get("body_nconsts", 0)
        consts = range(cond) if param == "cond_jaxpr" else range(cond, cond + body)
        positions = (*consts, *range(cond + body, num_operands))
        return positions if len(positions) == num_inputs else ()
    return tuple(range(num_operands)) if num_operands == num_inputs else ()


def _input_roles(eqn: Eqn, param: str, num_inputs: int) -> tuple[str, ...]:
    """What each input of a loop's jaxpr is: the same in every turn, carried, or a slice."""
    if eqn.primitive.name == "scan":
        consts, carry = eqn.params.get("num_consts", 0), eqn.params.get("num_carry", 0)
    elif param in ("cond_jaxpr", "body_jaxpr"):
        consts = eqn.params.get("cond_nconsts" if param == "cond_jaxpr" else "body_nconsts", 0)
        carry = num_inputs - consts
    else:
        return ()
    return ("const",) * consts + ("carry",) * carry + ("slice",) * (num_inputs - consts - carry)


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_with_lists(item) for item in value]
    return value
