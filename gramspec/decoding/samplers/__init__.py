"""Samplers: how draws of a law are made from attempts."""

from gramspec.decoding.samplers.base import Draw
from gramspec.decoding.samplers.masked import MaskedSampler
from gramspec.decoding.samplers.restart import RestartSampler, first_accepted

__all__ = ["Draw", "MaskedSampler", "RestartSampler", "first_accepted"]
