"""Verification rules: pure functions of rows."""

from gramspec.decoding.verification.token import Verdict, verify_token

__all__ = ["Verdict", "verify_token"]
