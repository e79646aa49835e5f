"""Drafters: who proposes tokens for the target to verify."""

from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.drafting.protocol import Controller, Drafter, FixedPlan, LearningDrafter
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree, TreeBuilder

__all__ = [
    "Branch",
    "Controller",
    "DraftPlan",
    "DraftTree",
    "Drafter",
    "FixedPlan",
    "LearningDrafter",
    "ModelDrafter",
    "TreeBuilder",
]
