"""``adlib.lax``: the operations themselves, strict about dtypes and ranks."""

from adlib.control.checkpoint import (
    name_p,
    remat_p,
)
from adlib.control.collectives import (
    all_gather,
    all_gather_p,
    axis_index,
    axis_index_p,
    axis_size,
    pmax,
    pmax_p,
    pmean,
    pmin,
    pmin_p,
    psum,
    psum_p,
)
from adlib.control.cond import (
    cond,
    cond_p,
    switch,
)
from adlib.control.custom_jvp import (
    custom_jvp_call_p,
)
from adlib.control.custom_vjp import (
    custom_lin_p,
    custom_vjp_call_p,
)
from adlib.control.exchanges import all_to_all, ppermute, psum_scatter, pswapaxes
from adlib.control.jit import (
    jit_p,
)
from adlib.control.loops import (
    associative_scan,
    fori_loop,
    map,
    scan,
)
from adlib.control.platform import platform_dependent
from adlib.control.roots import (
    custom_linear_solve,
    custom_root,
    linear_solve_p,
    root_p,
)
from adlib.control.scan import (
    scan_p,
)
from adlib.control.scatter_apply import (
    scatter_apply,
)
from adlib.control.while_loop import (
    while_loop,
    while_p,
)

# ------------------------------------- products, convolutions, windows, linear algebra, FFT
from adlib.lax import linalg
from adlib.ops.arithmetic import (
    add,
    add_p,
    cos,
    cos_p,
    div,
    div_p,
    eq,
    eq_p,
    exp,
    exp_p,
    ge,
    ge_p,
    gt,
    gt_p,
    integer_pow,
    integer_pow_p,
    le,
    le_p,
    log,
    log_p,
    lt,
    lt_p,
    mul,
    mul_p,
    ne,
    ne_p,
    neg,
    neg_p,
    sin,
    sin_p,
    sub,
    sub_p,
    tanh,
    tanh_p,
)
from adlib.ops.bit_generator import RandomAlgorithm, rng_bit_generator, rng_bit_generator_p
from adlib.ops.bitwise import (
    and_p,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    clz,
    clz_p,
    mulhi,
    mulhi_p,
    not_p,
    or_p,
    population_count,
    population_count_p,
    shift_left,
    shift_left_p,
    shift_right_arithmetic,
    shift_right_arithmetic_p,
    shift_right_logical,
    shift_right_logical_p,
    xor_p,
)
from adlib.ops.constructors import (
    add_any_p,
)
from adlib.ops.conv import conv_general_dilated, conv_general_dilated_p
from adlib.ops.conv_numbers import (
    ConvDimensionNumbers,
    ConvGeneralDilatedDimensionNumbers,
    conv_dimension_numbers,
    conv_general_permutations,
    conv_general_shape_tuple,
    conv_shape_tuple,
    conv_transpose_shape_tuple,
)
from adlib.ops.conv_variants import (
    conv,
    conv_general_dilated_local,
    conv_general_dilated_patches,
    conv_transpose,
    conv_with_general_padding,
)
from adlib.ops.conversion import (
    bitcast_convert_type,
    bitcast_convert_type_p,
    complex,
    complex_p,
    conj,
    conj_p,
    convert_element_type,
    convert_element_type_p,
    copy_p,
    dtype,
    imag,
    imag_p,
    optimization_barrier,
    optimization_barrier_p,
    real,
    real_p,
    reduce_precision,
    reduce_precision_p,
    stop_gradient,
    stop_gradient_p,
)
from adlib.ops.cumulative import (
    cumlogsumexp,
    cumlogsumexp_p,
    cummax,
    cummax_p,
    cummin,
    cummin_p,
    cumprod,
    cumprod_p,
    cumsum,
    cumsum_p,
    reduce,
)
from adlib.ops.dot import (
    DotDimensionNumbers,
    batch_matmul,
    dot,
    dot_general,
    dot_general_p,
)
from adlib.ops.dynamic_slices import (
    dynamic_index_in_dim,
    dynamic_slice,
    dynamic_slice_in_dim,
    dynamic_slice_p,
    dynamic_update_index_in_dim,
    dynamic_update_slice,
    dynamic_update_slice_in_dim,
    dynamic_update_slice_p,
    index_take,
)
from adlib.ops.elementary import (
    cbrt,
    cbrt_p,
    exp2,
    exp2_p,
    expm1,
    expm1_p,
    log1p,
    log1p_p,
    logistic,
    logistic_p,
    pow,
    pow_p,
    reciprocal,
    rsqrt,
    rsqrt_p,
    sqrt,
    sqrt_p,
    square,
    square_p,
)
from adlib.ops.fft import FftType, fft, fft_p
from adlib.ops.filling import (
    broadcast,
    broadcast_like,
    broadcast_shapes,
    broadcast_to_rank,
    broadcasted_iota,
    empty,
    full,
    full_like,
    iota,
    iota_p,
)
from adlib.ops.gamma import (
    betainc,
    igamma,
    igamma_grad_a,
    igamma_grad_a_p,
    igamma_p,
    igammac,
    igammac_p,
    random_gamma_grad,
    random_gamma_grad_p,
    regularized_incomplete_beta_p,
)
from adlib.ops.index_plan import (
    GatherDimensionNumbers,
    GatherScatterMode,
    ScatterDimensionNumbers,
)
from adlib.ops.indexing import (
    gather,
    gather_p,
    scatter_add,
    scatter_add_p,
)
from adlib.ops.precision import Precision, PrecisionLike
from adlib.ops.random_bits import (
    random_bits_p,
    random_clone_p,
    random_fold_in_p,
    random_seed_p,
    random_split_p,
    random_unwrap_p,
    random_wrap_p,
    threefry2x32_p,
)
from adlib.ops.random_gamma import (
    random_gamma_p,
)
from adlib.ops.reductions import (
    argmax,
    argmax_p,
    argmin,
    argmin_p,
    reduce_and,
    reduce_and_p,
    reduce_max,
    reduce_max_p,
    reduce_min,
    reduce_min_p,
    reduce_or,
    reduce_or_p,
    reduce_prod,
    reduce_prod_p,
    reduce_xor,
    reduce_xor_p,
)
from adlib.ops.reshaping import (
    broadcast_in_dim,
    broadcast_in_dim_p,
    expand_dims,
    reduce_sum,
    reduce_sum_p,
    reshape,
    reshape_p,
    squeeze,
    squeeze_p,
    transpose,
    transpose_p,
)
from adlib.ops.rounding import (
    RoundingMethod,
    abs,
    abs_p,
    ceil,
    ceil_p,
    floor,
    floor_p,
    is_finite,
    is_finite_p,
    nextafter,
    nextafter_p,
    rem,
    rem_p,
    round,
    round_p,
    sign,
    sign_p,
)
from adlib.ops.scatter import (
    scatter,
    scatter_max,
    scatter_max_p,
    scatter_min,
    scatter_min_p,
    scatter_mul,
    scatter_mul_p,
    scatter_p,
    scatter_sub,
    scatter_sub_p,
)
from adlib.ops.select_windows import select_and_gather_add_p, select_and_scatter_add_p
from adlib.ops.selection import (
    clamp,
    clamp_p,
    max,
    max_p,
    min,
    min_p,
    select,
    select_n,
    select_n_p,
)
from adlib.ops.sorting import (
    sort,
    sort_key_val,
    sort_p,
    top_k,
    top_k_p,
)
from adlib.ops.special import (
    bessel_i0e,
    bessel_i0e_p,
    bessel_i1e,
    bessel_i1e_p,
    digamma,
    digamma_p,
    erf,
    erf_inv,
    erf_inv_p,
    erf_p,
    erfc,
    erfc_p,
    lgamma,
    lgamma_p,
    polygamma,
    polygamma_p,
    zeta,
    zeta_p,
)
from adlib.ops.stacking import (
    collapse,
    concatenate,
    concatenate_p,
    split,
    split_p,
    stack,
    stack_p,
    tile,
    tile_p,
    unstack,
    unstack_p,
)
from adlib.ops.structural import (
    index_in_dim,
    pad,
    pad_p,
    rev,
    rev_p,
    slice,
    slice_in_dim,
    slice_p,
)
from adlib.ops.trigonometric import (
    acos,
    acos_p,
    acosh,
    acosh_p,
    asin,
    asin_p,
    asinh,
    asinh_p,
    atan,
    atan2,
    atan2_p,
    atan_p,
    atanh,
    atanh_p,
    cosh,
    cosh_p,
    sinh,
    sinh_p,
    tan,
    tan_p,
)
from adlib.ops.windows import (
    reduce_window,
    reduce_window_max_p,
    reduce_window_min_p,
    reduce_window_sum_p,
)
from adlib.ops.windows_geometry import padtype_to_pads, reduce_window_shape_tuple
