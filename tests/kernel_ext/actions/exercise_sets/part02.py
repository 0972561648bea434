"""Answers to the exercises of 02: for each a right one, and wrong ones by what is said of them."""

ANSWERS = {
    "polar_jacobian": (
        """
def polar_jacobian(r, phi):
    f = lambda p: jnp.stack([p[0] * jnp.cos(p[1]), p[0] * jnp.sin(p[1])])
    return jacfwd(f)(jnp.array([r, phi]))
""",
        {
            "it is transposed": """
def polar_jacobian(r, phi):
    return [[np.cos(phi), np.sin(phi)], [-r * np.sin(phi), r * np.cos(phi)]]
""",
            "the factor r is missing in the column of φ": """
def polar_jacobian(r, phi):
    return [[np.cos(phi), -np.sin(phi)], [np.sin(phi), np.cos(phi)]]
""",
            "the derivative of cos is -sin": """
def polar_jacobian(r, phi):
    return [[np.cos(phi), r * np.sin(phi)], [np.sin(phi), r * np.cos(phi)]]
""",
            "columns have changed places": """
def polar_jacobian(r, phi):
    return [[-r * np.sin(phi), np.cos(phi)], [r * np.cos(phi), np.sin(phi)]]
""",
            "the shape is (2,), and (2, 2) is wanted": (
                "polar_jacobian = lambda r, phi: jnp.array([r * jnp.cos(phi), r * jnp.sin(phi)])"
            ),
        },
    ),
    "layer_jacobian": (
        "layer_jacobian = lambda W, b, x: jacrev(lambda x: jnp.tanh(W @ x + b))(x)",
        {
            "it is transposed": ("lambda W, b, x: (W * (1 - jnp.tanh(W @ x + b)[:, None] ** 2)).T"),
            "multiplies the columns of W": "lambda W, b, x: W * (1 - jnp.tanh(W @ x + b) ** 2)",
            "this is W alone": "lambda W, b, x: W",
            "1 - tanh², not tanh": "lambda W, b, x: W * jnp.tanh(W @ x + b)[:, None]",
            "the sign is wrong": "lambda W, b, x: W * (jnp.tanh(W @ x + b) ** 2 - 1)[:, None]",
        },
    ),
    "sharpness": (
        """
def sharpness(f, x):
    v = jnp.ones_like(x)
    for _ in range(30):
        v = v / jnp.linalg.norm(v)
        v = grad(lambda x: jnp.vdot(grad(f)(x), v))(x)
    return jnp.linalg.norm(v)
""",
        {
            "it builds a whole Hessian: an array of shape (50, 50)": (
                "sharpness = lambda f, x: jnp.linalg.eigvalsh(hessian(f)(x))[-1]"
            ),
            "the sum of all eigenvalues": "sharpness = lambda f, x: jnp.trace(hessian(f)(x))",
            "the smallest eigenvalue": (
                "sharpness = lambda f, x: jnp.linalg.eigvalsh(hessian(f)(x))[0]"
            ),
            "H was applied once too often": (
                "sharpness = lambda f, x: jnp.linalg.eigvalsh(hessian(f)(x))[-1] ** 2"
            ),
            "the shape is (5,), and () is wanted": (
                "sharpness = lambda f, x: jnp.linalg.eigvalsh(hessian(f)(x))"
            ),
            "there are NaN entries": """
def sharpness(f, x):
    v = jnp.ones_like(x)
    for _ in range(100):
        v = jvp(grad(f), (x,), (v,))[1]
    return jnp.linalg.norm(v) / jnp.linalg.norm(jvp(grad(f), (x,), (v,))[1])
""",
        },
    ),
    "damped_step": (
        """
def damped_step(r, x, damping):
    J = jacrev(r)(x)
    A = J.T @ J + damping * jnp.eye(x.size)
    return x + jnp.linalg.solve(A, -J.T @ r(x))
""",
        {
            "uphill": """
def damped_step(r, x, damping):
    J = jacrev(r)(x)
    return x + jnp.linalg.solve(J.T @ J + damping * jnp.eye(x.size), J.T @ r(x))
""",
            "the damping is missing": """
def damped_step(r, x, damping):
    J = jacrev(r)(x)
    return x - jnp.linalg.solve(J.T @ J, J.T @ r(x))
""",
            "the step alone": """
def damped_step(r, x, damping):
    J = jacrev(r)(x)
    return -jnp.linalg.solve(J.T @ J + damping * jnp.eye(x.size), J.T @ r(x))
""",
            "it raises ": """
def damped_step(r, x, damping):
    J = jacrev(r)(x)
    return x - jnp.linalg.solve(J @ J.T + damping * jnp.eye(x.size), r(x))
""",
        },
    ),
    "from_three_products": (
        """
def from_three_products(push, n):
    J = np.zeros((n, n))
    for colour in range(3):
        columns = np.arange(colour, n, 3)
        v = np.zeros(n)
        v[columns] = 1.0
        product = push(v)
        for j in columns:
            rows = slice(max(j - 1, 0), min(j + 2, n))
            J[rows, j] = product[rows]
    return J
""",
        {
            "push was called 9 times, and three are enough": (
                "lambda push, n: np.stack([push(e) for e in np.eye(n)], axis=1)"
            ),
            "it is transposed": "lambda push, n: np.stack([push(e) for e in np.eye(n)])",
            "only the diagonal is filled in": (
                "lambda push, n: np.diag([push(e)[i] for i, e in enumerate(np.eye(n))])"
            ),
            "it raises ValueError: push takes one vector": ("lambda push, n: push(np.eye(n))"),
            "the shape is (7,), and (7, 7) is wanted": "lambda push, n: push(np.ones(n))",
        },
    ),
}
