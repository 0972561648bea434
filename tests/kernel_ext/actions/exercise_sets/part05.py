"""Answers to the exercises of 05: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "laurent_slope": (
        "laurent_slope = grad(lambda z: z**3 + 2 / z, holomorphic=True)",
        {
            "the term -2/z² is missing": "lambda z: 3 * z**2",
            "the term 3z² is missing": "lambda z: -2 / z**2",
            "the term -2/z² has the wrong sign": "lambda z: 3 * z**2 + 2 / z**2",
            "the function itself": "lambda z: z**3 + 2 / z",
            "it is the complex conjugate": "lambda z: jnp.conj(3 * z**2 - 2 / z**2)",
            "the power goes down, not up": "lambda z: 3 * z**2 - 2 * z**2",
        },
    ),
    "steepest": (
        """
def steepest(L, z):
    g = grad(L)(z)
    return jnp.conj(g) / jnp.abs(g)
""",
        {
            "the conjugate is missing": "lambda L, z: grad(L)(z) / abs(grad(L)(z))",
            "downhill": "lambda L, z: -jnp.conj(grad(L)(z)) / abs(grad(L)(z))",
            "not its length": "lambda L, z: jnp.conj(grad(L)(z))",
            "grad itself": "lambda L, z: grad(L)(z)",
        },
    ),
    "plane_jacobian": (
        """
def plane_jacobian(f, z):
    def real(p):
        w = f(p[0] + 1j * p[1])
        return jnp.stack([jnp.real(w), jnp.imag(w)])
    return jacfwd(real)(jnp.array([z.real, z.imag]))
""",
        {
            "it is transposed": """
def plane_jacobian(f, z):
    push = lambda d: jvp(f, (jnp.array(z),), (jnp.array(d),))[1]
    a, b = push(1.0 + 0j), push(1j)
    return jnp.array([[a.real, a.imag], [b.real, b.imag]])
""",
            "along 1j, not -1j": """
def plane_jacobian(f, z):
    push = lambda d: jvp(f, (jnp.array(z),), (jnp.array(d),))[1]
    a, b = push(1.0 + 0j), push(-1j)
    return jnp.array([[a.real, b.real], [a.imag, b.imag]])
""",
            "if f were holomorphic": """
def plane_jacobian(f, z):
    a = jvp(f, (jnp.array(z),), (jnp.array(1.0 + 0j),))[1]
    return jnp.array([[a.real, -a.imag], [a.imag, a.real]])
""",
            "the shape is (), and (2, 2) is wanted": (
                "lambda f, z: jvp(f, (jnp.array(z),), (jnp.array(1.0 + 0j),))[1]"
            ),
        },
    ),
    "area_factor": (
        """
def area_factor(f, z):
    push = lambda d: jvp(f, (jnp.array(z),), (jnp.array(d),))[1]
    a, b = push(1.0 + 0j), push(1j)
    return a.real * b.imag - a.imag * b.real
""",
        {
            "right for a holomorphic f": (
                "lambda f, z: abs(jvp(f, (jnp.array(z),), (jnp.array(1.0 + 0j),))[1]) ** 2"
            ),
            "the length of one side": (
                "lambda f, z: abs(jvp(f, (jnp.array(z),), (jnp.array(1.0 + 0j),))[1])"
            ),
            "plus where a minus belongs": """
def area_factor(f, z):
    push = lambda d: jvp(f, (jnp.array(z),), (jnp.array(d),))[1]
    a, b = push(1.0 + 0j), push(1j)
    return a.real * b.imag + a.imag * b.real
""",
            "the sign is wrong": """
def area_factor(f, z):
    push = lambda d: jvp(f, (jnp.array(z),), (jnp.array(d),))[1]
    a, b = push(1.0 + 0j), push(1j)
    return a.imag * b.real - a.real * b.imag
""",
        },
    ),
    "cauchy_slope": (
        """
def cauchy_slope(f, z, r):
    phase = jnp.exp(2j * jnp.pi * jnp.arange(64) / 64)
    return jnp.mean(vmap(f)(z + r * phase) / phase) / r
""",
        {
            "the mean of f over the circle": """
def cauchy_slope(f, z, r):
    phase = jnp.exp(2j * jnp.pi * jnp.arange(64) / 64)
    return jnp.mean(vmap(f)(z + r * phase))
""",
            "turns the wrong way": """
def cauchy_slope(f, z, r):
    phase = jnp.exp(2j * jnp.pi * jnp.arange(64) / 64)
    return jnp.mean(vmap(f)(z + r * phase) * phase) / r
""",
            "divided by r": """
def cauchy_slope(f, z, r):
    phase = jnp.exp(2j * jnp.pi * jnp.arange(64) / 64)
    return jnp.mean(vmap(f)(z + r * phase) / phase)
""",
            "the shape is (64,), and () is wanted": """
def cauchy_slope(f, z, r):
    phase = jnp.exp(2j * jnp.pi * jnp.arange(64) / 64)
    return vmap(f)(z + r * phase) / phase / r
""",
        },
    ),
}
