"""Whether ``GET /callLog`` slows down as logs pile up, on PostgreSQL: its time, and the plan of its query."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench import servers
from bench.rows import Numbers, Row, turn

_COLUMNS = "id, platform, owner, session_id, crm_log_id, state, created_at, updated_at"
#: Those that are no constraints, and what makes them.
_INDEXES = (
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'audit_calllog' "
    "AND indexname NOT IN (SELECT conname FROM pg_constraint)"
)
_ROW = Row(kind="logs", clients=1, rtt=0.0, name="", goal="")


@dataclass
class Size:
    """Figures at so many logs; ``plan``: how PostgreSQL finds one; ``buffers``: pages of 8 kB that it reads for it."""

    logs: int
    p50: float = 0.0
    cpu: float = 0.0
    megabytes: float = 0.0
    plan: str = ""
    buffers: int = 0


@contextmanager
def database(server: str) -> Iterator[str]:
    """A new database there, dropped afterwards."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{server.rsplit('/', 1)[0]}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def measure(folder: Path, crm: servers.Crm, *, url: str, sizes: list[int], say: Callable[[str], None]) -> list[Size]:
    """Grows a database step by step."""
    found: list[Size] = []
    numbers = Numbers()
    with database(url) as name, psycopg.connect(name, autocommit=True) as connection:
        server = servers.ours(folder, crm, workers=1, database_url=name)
        try:
            present = servers.LOGGED
            for logs in sizes:
                _add(connection, present, logs)
                present = max(present, logs)
                turn(server, crm, _ROW, seconds=1, numbers=numbers)
                figures = turn(server, crm, _ROW, seconds=3, numbers=numbers)
                size = Size(logs=logs, p50=figures["p50"], cpu=figures["cpu"])
                _explain(connection, size)
                found.append(size)
                say(f"{logs} logs: p50 {size.p50:.2f} ms, {size.buffers} pages, {size.megabytes:.0f} MB; {size.plan}")
        finally:
            server.stop()
    return found


def _add(connection: psycopg.Connection, present: int, logs: int) -> None:
    """Logs of a thousand owners, from ``present`` to ``logs``."""
    columns = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'audit_calllog' AND is_nullable = 'NO' "
        "AND column_default IS NULL AND is_identity = 'NO'"
    ).fetchall()
    further = sorted({name for (name,) in columns} - set(_COLUMNS.split(", ")))
    like = f", {', '.join(further)}" if further else ""
    indexes = connection.execute(_INDEXES).fetchall()
    for name, _ in indexes:  # made anew afterwards, which takes a fraction of the time
        connection.execute(f'DROP INDEX "{name}"')
    connection.execute(
        f"INSERT INTO audit_calllog ({_COLUMNS}{like}) "
        "SELECT gen_random_uuid(), example.platform, 'account:bench:' || number %% 1000, 'session-' || number, "
        "number::text, "
        f"example.state, now(), now(){like.replace(', ', ', example.')} "
        "FROM generate_series(%s::bigint, %s::bigint) number, (SELECT * FROM audit_calllog LIMIT 1) example",
        [present + 1, logs],
    )
    for _, definition in indexes:
        connection.execute(definition)
    connection.execute("VACUUM ANALYZE audit_calllog")


def _explain(connection: psycopg.Connection, size: Size) -> None:
    owner = connection.execute("SELECT owner FROM audit_calllog WHERE session_id = 'logged-1'").fetchone()
    lines = connection.execute(
        "EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM audit_calllog "
        "WHERE platform = 'insightly' AND owner = %s AND session_id = 'logged-1'",
        owner,
    ).fetchall()
    text = "\n".join(line for (line,) in lines)
    size.plan = lines[0][0].split("  (", 1)[0]
    size.buffers = sum(int(number) for number in re.findall(r"^ *Buffers: shared hit=(\d+)", text, re.MULTILINE)[:1])
    bytes_taken = connection.execute("SELECT pg_total_relation_size('audit_calllog')").fetchone()
    size.megabytes = bytes_taken[0] / 2**20 if bytes_taken else 0.0
