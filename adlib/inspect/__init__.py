"""Recorders: they read a jaxpr, or run it, and emit frozen, versioned records.

The widgets draw records and never touch the engine; the engine knows nothing of pictures.
"""

from adlib.inspect.arguments import argument_names, leaf_names
from adlib.inspect.derivation import (
    DerivationRecord,
    LineRecord,
    OriginRecord,
    ProgramRecord,
    derivation_record,
)
from adlib.inspect.flow import (
    ContributionRecord,
    FlowOutput,
    FlowRecord,
    FlowStep,
    FlowValue,
    flow_record,
)
from adlib.inspect.graph import (
    EdgeRecord,
    GraphRecord,
    NodeRecord,
    SubgraphRecord,
    ValueRecord,
    graph_record,
)
from adlib.inspect.jacobian import CellRecord, JacobianRecord, MatrixRecord, jacobian_record
from adlib.inspect.memory import (
    CheckpointRecord,
    MemoryRecord,
    MomentRecord,
    ResidualRecord,
    memory_record,
)
from adlib.inspect.nans import BadEquation, NamedSummary, NanRecord, nan_record
from adlib.inspect.summaries import ArraySummary, summarize

__all__ = [
    "ArraySummary",
    "BadEquation",
    "CellRecord",
    "CheckpointRecord",
    "ContributionRecord",
    "DerivationRecord",
    "EdgeRecord",
    "FlowOutput",
    "FlowRecord",
    "FlowStep",
    "FlowValue",
    "GraphRecord",
    "JacobianRecord",
    "LineRecord",
    "MatrixRecord",
    "MemoryRecord",
    "MomentRecord",
    "NamedSummary",
    "NanRecord",
    "NodeRecord",
    "OriginRecord",
    "ProgramRecord",
    "ResidualRecord",
    "SubgraphRecord",
    "ValueRecord",
    "argument_names",
    "derivation_record",
    "flow_record",
    "graph_record",
    "jacobian_record",
    "leaf_names",
    "memory_record",
    "nan_record",
    "summarize",
]
