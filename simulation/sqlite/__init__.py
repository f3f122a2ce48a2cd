"""The SQLite backend of production, with a switch of threads at every statement and every commit."""
