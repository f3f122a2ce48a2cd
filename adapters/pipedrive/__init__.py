"""Pipedrive: OAuth through the Marketplace, persons, deals, leads and activities."""
