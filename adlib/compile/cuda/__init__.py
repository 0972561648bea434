"""Compiled programs on a GPU: loop nests as CUDA C, everything else through CuPy."""
