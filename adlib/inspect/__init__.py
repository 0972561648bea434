"""Recorders: they read a jaxpr, or run it, and emit frozen, versioned records.

The widgets draw records and never touch the engine; the engine knows nothing of pictures.
"""

from adlib.inspect.arguments import argument_names, leaf_names
from adlib.inspect.graph import (
    EdgeRecord,
    GraphRecord,
    NodeRecord,
    SubgraphRecord,
    ValueRecord,
    graph_record,
)

__all__ = [
    "EdgeRecord",
    "GraphRecord",
    "NodeRecord",
    "SubgraphRecord",
    "ValueRecord",
    "argument_names",
    "graph_record",
    "leaf_names",
]
