"""``adlib.scipy.stats``: distributions, one module each, and statistics of samples."""

from adlib.scipy.stats import (
    bernoulli,
    beta,
    betabinom,
    binom,
    cauchy,
    chi2,
    dirichlet,
    expon,
    gamma,
    gennorm,
    geom,
    gumbel_l,
    gumbel_r,
    laplace,
    logistic,
    multinomial,
    multivariate_normal,
    nbinom,
    norm,
    pareto,
    poisson,
    t,
    truncnorm,
    uniform,
    vonmises,
    wrapcauchy,
)
from adlib.scipy.stats.kernel_density import gaussian_kde
from adlib.scipy.stats.summaries import mode, rankdata, sem
