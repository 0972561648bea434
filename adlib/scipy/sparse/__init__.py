"""``adlib.scipy.sparse``: solvers of linear systems given by their products."""

from adlib.scipy.sparse import linalg
