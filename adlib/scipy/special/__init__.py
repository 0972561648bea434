"""``adlib.scipy.special``: special functions, differentiable in their real arguments."""

from adlib.nn import logsumexp
from adlib.scipy.special.bessel import bessel_jn, i0, i0e, i1, i1e
from adlib.scipy.special.entropy import entr, kl_div, rel_entr, xlog1py, xlogy
from adlib.scipy.special.gamma import (
    bernoulli,
    beta,
    betainc,
    betaln,
    comb,
    digamma,
    factorial,
    gamma,
    gammainc,
    gammaincc,
    gammaln,
    gammasgn,
    loggamma,
    multigammaln,
    poch,
    polygamma,
    zeta,
)
from adlib.scipy.special.gaussian import (
    dawsn,
    erf,
    erfc,
    erfcx,
    erfinv,
    log_ndtr,
    ndtr,
    ndtri,
    owens_t,
    wofz,
)
from adlib.scipy.special.harmonics import sph_harm_y
from adlib.scipy.special.integrals import (
    exp1,
    expi,
    expn,
    fresnel,
    hyp1f1,
    hyp2f1,
    sici,
    spence,
)
from adlib.scipy.special.logistic import (
    boxcox,
    boxcox1p,
    expit,
    log_softmax,
    logit,
    softmax,
)

__all__ = [name for name in dir() if not name.startswith("_") and callable(globals()[name])]
