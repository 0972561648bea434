"""Array modules that compute: NumPy at once, CuPy when it is first asked for."""
