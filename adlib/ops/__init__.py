"""First-order primitives by family; each is defined in one place with all its rules."""
