"""Ground floor: configuration, errors, source locations, pytrees. Imports nothing of adlib."""
