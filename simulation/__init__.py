"""Runs the production code of deliveries under a scheduler that one number drives, and judges what came of it.

``docs/proof.md`` says what is proven and how to replay. Nothing imports this package; it may import everything.
"""
