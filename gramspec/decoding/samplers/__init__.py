"""Samplers: how draws of a law are made from attempts."""

from gramspec.decoding.samplers.auto import AutoSampler
from gramspec.decoding.samplers.base import Draw, Sampler
from gramspec.decoding.samplers.masked import MaskedSampler
from gramspec.decoding.samplers.mcmc import McmcSampler
from gramspec.decoding.samplers.restart import RestartSampler, first_accepted
from gramspec.decoding.samplers.smc import SmcSampler
from gramspec.decoding.samplers.twisted import TwistedSampler

__all__ = [
    "AutoSampler",
    "Draw",
    "MaskedSampler",
    "McmcSampler",
    "RestartSampler",
    "Sampler",
    "SmcSampler",
    "TwistedSampler",
    "first_accepted",
]
