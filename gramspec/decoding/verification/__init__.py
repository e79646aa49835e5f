"""Verification rules: pure functions of rows."""

from gramspec.decoding.verification.chain import Block, ChainVerifier, Token
from gramspec.decoding.verification.descent import Descent, Greedy, Match, Recursive
from gramspec.decoding.verification.k_seq import KSeq
from gramspec.decoding.verification.protocol import TreeVerdict, Verifier
from gramspec.decoding.verification.registry import VERIFIERS, Auto, by_name
from gramspec.decoding.verification.token import verify_token
from gramspec.decoding.verification.traversal import Traversal
from gramspec.kernels.verification import Verdict

__all__ = [
    "VERIFIERS",
    "Auto",
    "Block",
    "ChainVerifier",
    "Descent",
    "Greedy",
    "KSeq",
    "Match",
    "Recursive",
    "Token",
    "Traversal",
    "TreeVerdict",
    "Verdict",
    "Verifier",
    "by_name",
    "verify_token",
]
