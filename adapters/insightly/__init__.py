"""Insightly: contacts and leads, calls and messages as events."""
