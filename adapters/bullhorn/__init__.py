"""Bullhorn: candidates, client contacts and leads, with calls and messages kept as notes."""
