"""Database triggers that keep audit events from being changed or deleted."""

from __future__ import annotations

from typing import Any

_INSTALL = {
    "sqlite": [
        "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_auditevent "
        "BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END",
        "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_auditevent "
        "BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END",
    ],
    "postgresql": [
        "CREATE FUNCTION audit_event_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit events are never changed or deleted'; END $$",
        "CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_auditevent "
        "FOR EACH ROW EXECUTE FUNCTION audit_event_refuse()",
    ],
}
_REMOVE = {
    "sqlite": ["DROP TRIGGER IF EXISTS audit_event_no_update", "DROP TRIGGER IF EXISTS audit_event_no_delete"],
    "postgresql": [
        "DROP TRIGGER IF EXISTS audit_event_append_only ON audit_auditevent",
        "DROP FUNCTION IF EXISTS audit_event_refuse()",
    ],
}


def install(connection: Any) -> None:
    """Creates the triggers; called by the migration."""
    for statement in _INSTALL.get(connection.vendor, ()):
        connection.cursor().execute(statement)


def remove(connection: Any) -> None:
    """Drops the triggers; called when the migration is undone."""
    for statement in _REMOVE.get(connection.vendor, ()):
        connection.cursor().execute(statement)
