"""Drafters: who proposes tokens for the target to verify."""

from gramspec.decoding.drafting.copying import CopyDrafter, CopyTable
from gramspec.decoding.drafting.drawn import DrawnDrafter
from gramspec.decoding.drafting.forced import ForcedDrafter
from gramspec.decoding.drafting.fusion import FusedDrafter, Trust
from gramspec.decoding.drafting.lookup import LookupDrafter, TextIndex
from gramspec.decoding.drafting.mixture import Mixture
from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.drafting.model_free import (
    DRAWN_PLAN,
    MODEL_FREE_PLAN,
    AtTheFrontier,
    DraftMemory,
    model_free,
    model_free_drawn,
)
from gramspec.decoding.drafting.ngram import NgramDrafter, NgramTable
from gramspec.decoding.drafting.protocol import Controller, Drafter, FixedPlan, LearningDrafter
from gramspec.decoding.drafting.recycling import RecyclingDrafter, RecyclingTable
from gramspec.decoding.drafting.retrieval import CompletionStore, RetrievalDrafter
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree, TreeBuilder

__all__ = [
    "DRAWN_PLAN",
    "MODEL_FREE_PLAN",
    "AtTheFrontier",
    "Branch",
    "CompletionStore",
    "Controller",
    "CopyDrafter",
    "CopyTable",
    "DraftMemory",
    "DraftPlan",
    "DraftTree",
    "Drafter",
    "DrawnDrafter",
    "FixedPlan",
    "ForcedDrafter",
    "FusedDrafter",
    "LearningDrafter",
    "LookupDrafter",
    "Mixture",
    "ModelDrafter",
    "NgramDrafter",
    "NgramTable",
    "RecyclingDrafter",
    "RecyclingTable",
    "RetrievalDrafter",
    "TextIndex",
    "TreeBuilder",
    "Trust",
    "model_free",
    "model_free_drawn",
]
