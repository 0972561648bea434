"""``adlib.scipy.optimize``: minimization."""

from adlib.scipy.optimize.minimize import OptimizeResults, minimize

__all__ = ["OptimizeResults", "minimize"]
