"""What may be written: the expression IR and one module per front end.

Law: every front end gives a `Grammar`, and refuses by name what it cannot read. Source: the formats' own.
"""
