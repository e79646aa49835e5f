"""Integrations: gramspec inside other libraries. Importing this room imports none of them."""
