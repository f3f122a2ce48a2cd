"""Tells whether PostgreSQL and Redis can be reached: exit status 0 if they can."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import redis

URL = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")


def postgres_is_there() -> bool:
    try:
        psycopg.connect(URL, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def redis_is_there() -> bool:
    try:
        with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=3) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@contextmanager
def redis_database() -> Iterator[str]:
    """The URL of an empty database on that server, emptied afterwards; no other test has it meanwhile."""
    for number in range(15, 0, -1):
        with redis.Redis.from_url(REDIS_URL, db=number) as client:
            if client.dbsize() == 0 and client.set("switchboard-test", "taken", nx=True, ex=600):
                try:
                    yield f"{REDIS_URL}/{number}"
                finally:
                    client.flushdb()
                return
    raise RuntimeError("no empty Redis database")


if __name__ == "__main__":
    sys.exit(0 if postgres_is_there() and redis_is_there() else 1)
