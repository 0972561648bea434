"""Recorders: they read a jaxpr, or run it, and emit frozen, versioned records.

The widgets draw records and never touch the engine; the engine knows nothing of pictures.
"""

from adlib.api.input_names import argument_names, leaf_names
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
from adlib.inspect.groups import GroupRecord, SourceText, grouped
from adlib.inspect.jacobian import (
    AssembledJacobian,
    CellRecord,
    JacobianRecord,
    LeafRecord,
    MatrixRecord,
    jacobian_record,
)
from adlib.inspect.jacobian_costs import DerivativeCosts
from adlib.inspect.jacobian_paths import ArcRecord, EntryRecord, PathRecord, VertexRecord
from adlib.inspect.listing import ListingLine, ListingRecord, SourceBlock, listing_record
from adlib.inspect.memory import (
    BufferRecord,
    CheckpointRecord,
    MemoryRecord,
    MomentRecord,
    ResidualRecord,
    memory_record,
)
from adlib.inspect.nans import BadEquation, NamedSummary, NanRecord, nan_record
from adlib.inspect.optimisation import FateRecord, FusedRecord, PassRecord
from adlib.inspect.profile import (
    CostRecord,
    MeasureRecord,
    ProfileRecord,
    cost_record,
    profile_record,
)
from adlib.inspect.progress import progress, reporting
from adlib.inspect.summaries import ArraySummary, summarize

__all__ = [
    "ArcRecord",
    "ArraySummary",
    "AssembledJacobian",
    "BadEquation",
    "BufferRecord",
    "CellRecord",
    "CheckpointRecord",
    "ContributionRecord",
    "CostRecord",
    "DerivationRecord",
    "DerivativeCosts",
    "EdgeRecord",
    "EntryRecord",
    "FateRecord",
    "FlowOutput",
    "FlowRecord",
    "FlowStep",
    "FlowValue",
    "FusedRecord",
    "GraphRecord",
    "GroupRecord",
    "JacobianRecord",
    "LeafRecord",
    "LineRecord",
    "ListingLine",
    "ListingRecord",
    "MatrixRecord",
    "MeasureRecord",
    "MemoryRecord",
    "MomentRecord",
    "NamedSummary",
    "NanRecord",
    "NodeRecord",
    "OriginRecord",
    "PathRecord",
    "ProfileRecord",
    "PassRecord",
    "ProgramRecord",
    "ResidualRecord",
    "SourceBlock",
    "SourceText",
    "SubgraphRecord",
    "ValueRecord",
    "VertexRecord",
    "argument_names",
    "cost_record",
    "derivation_record",
    "flow_record",
    "graph_record",
    "grouped",
    "jacobian_record",
    "leaf_names",
    "listing_record",
    "memory_record",
    "nan_record",
    "profile_record",
    "progress",
    "reporting",
    "summarize",
]
