"""Potentials: numbers for prefixes that say how likely a valid ending still is."""

from gramspec.validity.binding import Call, Recipe, check_bound
from gramspec.validity.bracketing import Brackets
from gramspec.validity.combine import Minimum, Mixture, Product, Restricted
from gramspec.validity.exact import Exact
from gramspec.validity.exact_ngram import ExactNgram
from gramspec.validity.hidden_markov import HiddenMarkov
from gramspec.validity.hmm import Hmm
from gramspec.validity.learned import Learned
from gramspec.validity.one_step import OneStep
from gramspec.validity.partition import Partition
from gramspec.validity.partition_files import load_weights, save_weights
from gramspec.validity.partition_weights import ByteWeights, StateWeights, TokenWeights, Weights
from gramspec.validity.prefix_trie import LearnedMass, PrefixTrie, TrieKey
from gramspec.validity.protocol import Contract, LearningPotential, Potential, Visit
from gramspec.validity.rollout import Rollout
from gramspec.validity.samples import draw_sequences
from gramspec.validity.viability import Viability

__all__ = [
    "Brackets",
    "ByteWeights",
    "Call",
    "Contract",
    "Exact",
    "ExactNgram",
    "HiddenMarkov",
    "Hmm",
    "Learned",
    "LearnedMass",
    "LearningPotential",
    "Minimum",
    "Mixture",
    "OneStep",
    "Partition",
    "Potential",
    "PrefixTrie",
    "Product",
    "Recipe",
    "Restricted",
    "Rollout",
    "StateWeights",
    "TokenWeights",
    "TrieKey",
    "Viability",
    "Visit",
    "Weights",
    "check_bound",
    "draw_sequences",
    "load_weights",
    "save_weights",
]
