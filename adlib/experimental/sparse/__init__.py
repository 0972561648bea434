"""Sparse Jacobians and Hessians: detect the pattern, colour it, evaluate compressed.

A Jacobian with few nonzeros in each row does not need one pushforward for each column: columns
that share no row can be pushed forward together, since each entry of the sum belongs to one of
them only. The files stand in the order of the work: what one operation does to a pattern
(``patterns``), the pattern of a program (``detection``), which columns or rows go together
(``colouring``), and the derivatives (``derivatives``).
"""

from adlib.experimental.sparse.colouring import colour_columns, colour_symmetric
from adlib.experimental.sparse.derivatives import sparse_hessian, sparse_jacobian
from adlib.experimental.sparse.detection import jacobian_sparsity

__all__ = [
    "colour_columns",
    "colour_symmetric",
    "jacobian_sparsity",
    "sparse_hessian",
    "sparse_jacobian",
]
