"""Redtail CRM."""
