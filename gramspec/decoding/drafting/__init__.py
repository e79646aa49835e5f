"""Drafters: who proposes tokens for the target to verify."""

from gramspec.decoding.drafting.forced import ForcedDrafter
from gramspec.decoding.drafting.fusion import FusedDrafter, Trust
from gramspec.decoding.drafting.lookup import LookupDrafter, TextIndex
from gramspec.decoding.drafting.model_drafter import ModelDrafter
from gramspec.decoding.drafting.model_free import MODEL_FREE_PLAN, AtTheFrontier, DraftMemory, model_free
from gramspec.decoding.drafting.ngram import NgramDrafter, NgramTable
from gramspec.decoding.drafting.protocol import Controller, Drafter, FixedPlan, LearningDrafter
from gramspec.decoding.drafting.recycling import RecyclingDrafter, RecyclingTable
from gramspec.decoding.drafting.retrieval import CompletionStore, RetrievalDrafter
from gramspec.decoding.drafting.tree import Branch, DraftPlan, DraftTree, TreeBuilder

__all__ = [
    "MODEL_FREE_PLAN",
    "AtTheFrontier",
    "Branch",
    "CompletionStore",
    "Controller",
    "DraftMemory",
    "DraftPlan",
    "DraftTree",
    "Drafter",
    "FixedPlan",
    "ForcedDrafter",
    "FusedDrafter",
    "LearningDrafter",
    "LookupDrafter",
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
]
