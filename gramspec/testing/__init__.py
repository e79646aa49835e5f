"""What tests share: small worlds, slow independent oracles, and laws written once as mixins.

Nothing is imported here: take what is needed from the modules (`worlds`, `oracle`, `saturation`,
`proofs`, `strategies`, `models`, `potentials`, `verifiers`, `drafters`, `grammars`).
"""
