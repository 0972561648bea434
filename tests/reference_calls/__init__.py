"""Calls whose results in JAX are on record: dtype, shape, weak type, or the class of error."""
