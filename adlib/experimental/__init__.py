"""Features that work and are tested, but whose names and forms may still change."""

from adlib.experimental.preaccumulation import (
    accumulated_jacobian,
    elimination_plan,
    preaccumulate,
)
from adlib.experimental.revolve import checkpointed_scan
from adlib.experimental.sparse import jacobian_sparsity, sparse_hessian, sparse_jacobian

__all__ = [
    "accumulated_jacobian",
    "checkpointed_scan",
    "elimination_plan",
    "jacobian_sparsity",
    "preaccumulate",
    "sparse_hessian",
    "sparse_jacobian",
]
