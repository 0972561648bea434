"""Functions whose vectorization is given by their author."""

from adlib.control.custom_vmap import custom_vmap, sequential_vmap

__all__ = ["custom_vmap", "sequential_vmap"]
