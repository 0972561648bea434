"""Features that work and are tested, but whose names and forms may still change."""

from adlib.experimental.sparse import jacobian_sparsity, sparse_hessian, sparse_jacobian

__all__ = ["jacobian_sparsity", "sparse_hessian", "sparse_jacobian"]
