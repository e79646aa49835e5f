"""Decoding room: laws as rows, drafts, verification, samplers, and `generate` over all of them."""
