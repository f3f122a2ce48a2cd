"""Runs a CRM that is described by data: ``definition.json`` instead of ``adapter.py``."""
