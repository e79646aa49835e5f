"""Verification rules: pure functions of rows."""

from gramspec.decoding.verification.token import verify_token
from gramspec.kernels.verification import Verdict

__all__ = ["Verdict", "verify_token"]
