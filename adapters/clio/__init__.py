"""Clio Manage: persons and companies with their matters; calls and messages kept as communications."""
