"""The tables of ``programs/`` name every public function, or it is said here why not."""

import importlib
import inspect

from tests.public import programs
from tests.test_surface import SURFACE

_SHORT = {
    "adlib.numpy": "jnp",
    "adlib.lax": "lax",
    "adlib.nn": "nn",
    "adlib.ops": "ops",
    "adlib.random": "random",
    "adlib.scipy": "scipy",
    "adlib.experimental": "experimental",
    "adlib.example_libraries.optimizers": "optimizers",
    "adlib.example_libraries.stax": "stax",
}
# No functions of arrays: what they take or give is a type, a text, a file, a setting, a program.
ELSEWHERE = {
    "adlib.ad_checkpoint": "print_saved_residuals",
    "adlib.core": "check_jaxpr define_primitive",
    "adlib.custom_derivatives": "closure_convert custom_gradient zero_from_primal",
    "adlib.debug": "breakpoint callback print",
    "adlib.dtypes": "canonicalize_dtype finfo iinfo issubdtype result_type scalar_type_of",
    "adlib.example_libraries.optimizers": "optimizer pack_optimizer_state unpack_optimizer_state",
    "adlib.experimental": "elimination_plan jacobian_sparsity",
    "adlib.experimental.checkify": "check check_error debug_check",
    "adlib.extend.core": "check_jaxpr define_primitive",
    "adlib.lax": "DotDimensionNumbers",
    "adlib.numpy": "array_repr array_str broadcast_shapes can_cast einsum_path finfo from_dlpack "
    "frombuffer fromfile fromiter fromstring get_printoptions iinfo iscomplexobj isdtype "
    "isrealobj isscalar issubdtype iterable load ndim printoptions promote_types result_type "
    "save savez set_printoptions shape size",
    "adlib.random": "key_dtype key_impl",
    "adlib.test_util": "check_grads check_jvp check_vjp",
    "adlib.tree": "static structure",
    "adlib.tree_util": "KeyPath all_leaves flatten_one_level_with_keys is_tree_node keystr "
    "register_dataclass register_pytree_node register_pytree_node_class "
    "register_pytree_with_keys register_pytree_with_keys_class register_static tree_all "
    "tree_structure treedef_children treedef_is_leaf treedef_tuple",
    "adlib": "check_tracer_leaks checking_leaks clear_caches custom_gradient debug_nans "
    "default_backend default_device default_matmul_precision device_count device_get devices "
    "disable_jit ds enable_checks enable_x64 ensure_compile_time_eval live_arrays "
    "local_device_count local_devices log_compiles make_jaxpr named_scope no_tracing "
    "numpy_dtype_promotion numpy_rank_promotion print_environment_info softmax_custom_jvp "
    "threefry_partitionable",
}


def dotted(namespace):
    """How programs write the namespace."""
    for full, short in _SHORT.items():
        if namespace == full or namespace.startswith(f"{full}."):
            return short + namespace[len(full) :]
    return namespace


def test_every_function_has_a_program():
    used = {name for p in programs.all_of_them() for name in p.functions}
    used |= {name.rpartition(".")[0] for name in used}  # modules of distributions; methods
    missing = []
    for namespace, names in SURFACE.items():
        module, excused = importlib.import_module(namespace), ELSEWHERE.get(namespace, "").split()
        missing += [
            f"{namespace}.{name}"
            for name in names
            if callable(value := getattr(module, name))
            and not inspect.isclass(value)
            and name not in excused
            and f"{dotted(namespace)}.{name}" not in used
        ]
    assert missing == []


def test_the_excuses_are_needed():
    for namespace, names in ELSEWHERE.items():
        assert set(names.split()) <= set(SURFACE[namespace])
    marks = {m.split()[0] for p in programs.all_of_them() for m in p.marks}
    assert marks <= {"jit", "vmap", "no", "jvp", "forward", "reverse", "first", "rounds", "tol"}
