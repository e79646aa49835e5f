"""Drafters: who proposes tokens for the target to verify."""

from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.drafting.protocol import Drafter, Proposal

__all__ = ["Drafter", "ModelDrafter", "Proposal"]
