"""Tells whether PostgreSQL can be reached: exit status 0 if it can."""

from __future__ import annotations

import os
import sys

import psycopg

URL = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")


def postgres_is_there() -> bool:
    try:
        psycopg.connect(URL, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(0 if postgres_is_there() else 1)
