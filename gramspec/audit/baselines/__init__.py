"""Published samplers of grammars, written for comparison: nothing in production imports them.

Law: each class says which law its draws have; the tests check the claims by enumeration.
Cost: `Spent` counts sequence-forwards, with and without a memory of rows.
Source: the papers named in each module.
"""

from gramspec.audit.baselines.adaptive import Ars, Asap, Cars
from gramspec.audit.baselines.masked import Masked
from gramspec.audit.baselines.mcmc import Mcmc
from gramspec.audit.baselines.protocol import Baseline, Problem, Spent
from gramspec.audit.baselines.rejection import Rejection, Rsft
from gramspec.audit.baselines.smc import SmcAwrs, weighted_rejection

__all__ = [
    "Ars",
    "Asap",
    "Baseline",
    "Cars",
    "Masked",
    "Mcmc",
    "Problem",
    "Rejection",
    "Rsft",
    "SmcAwrs",
    "Spent",
    "weighted_rejection",
]
