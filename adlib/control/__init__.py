"""Primitives whose rules run interpreters: jit, control flow, custom rules, checkpoint."""
