"""``adlib.scipy.cluster``: clustering."""

from adlib.scipy.cluster import vq
