"""Samplers: how draws of a law are made from attempts."""

from gramspec.decoding.samplers.masked import MaskedSampler
from gramspec.decoding.samplers.restart import Draw, RestartSampler, first_accepted

__all__ = ["Draw", "MaskedSampler", "RestartSampler", "first_accepted"]
