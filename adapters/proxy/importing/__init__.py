"""Turns connector documents of a reference server into a definition and a manifest."""
