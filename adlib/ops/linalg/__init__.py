"""Linear algebra: factorizations and solvers of stacks of matrices, with their derivatives."""
