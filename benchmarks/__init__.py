"""adlib beside JAX, autograd, PyTorch and Numba: speed, first calls, import time, memory.

``python -m benchmarks`` from the project's root runs everything; README.md in this folder says
how to read what it prints.
"""
