"""Django's SQLite, fit for a server: see ``base``."""
