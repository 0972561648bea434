"""The transformations' interpreters, one file each: stage, jvp, batch, linearize, transpose."""
