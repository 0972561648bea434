"""adlib beside JAX, autograd and PyTorch: speed, import time and memory, in one run.

``python -m benchmarks`` from the project's root runs everything; README.md in this folder says
how to read what it prints.
"""
