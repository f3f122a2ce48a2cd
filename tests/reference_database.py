"""A database as a reference server leaves it behind: its tables, with names in mixed case, and rows in them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

_TABLES = {
    "users": (
        "id platform hostname timezoneName timezoneOffset accessToken refreshToken tokenExpiry platformAdditionalInfo "
        "rcAccountId hashedRcExtensionId userSettings"
    ),
    "callLogs": "id sessionId extensionNumber hashedExtensionId platform thirdPartyLogId userId contactId",
    "messageLogs": "id conversationId conversationLogId thirdPartyLogId platform userId",
    "adminConfigs": "id userSettings userMappings customAdapter adminAccessToken adminRefreshToken adminTokenExpiry",
    "callDownLists": "id userId contactId contactType status scheduledAt lastCallAt",
    "caches": "id cacheKey",
}
TIME = "2026-01-14 17:31:07.000 +00:00"


class ReferenceDatabase:
    """On SQLite, in a file; ``url`` is its address."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "reference.sqlite3"
        self.url = f"sqlite:///{self.path}"
        self._connection = sqlite3.connect(self.path)
        for table, columns in _TABLES.items():
            names = ", ".join(f'"{name}" TEXT' for name in (*columns.split(), "createdAt", "updatedAt"))
            self._connection.execute(f'CREATE TABLE "{table}" ({names})')

    def add(self, table: str, **columns: Any) -> None:
        """One row; objects and lists become JSON."""
        row = {"createdAt": TIME, "updatedAt": TIME, **columns}
        values = [json.dumps(value) if isinstance(value, dict | list) else value for value in row.values()]
        names = ", ".join(f'"{name}"' for name in row)
        places = ", ".join("?" * len(row))
        self._connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({places})', values)
        self._connection.commit()

    def user(self, wire_id: str = "u1-testCRM", platform: str = "testCRM", **columns: Any) -> None:
        """A connected user."""
        known = {"id": wire_id, "platform": platform, "accessToken": "demo-key", "hostname": "", "timezoneName": ""}
        self.add("users", **{**known, **columns})

    def call(self, session: str, user: str = "u1-testCRM", log: str = "", **columns: Any) -> None:
        """A logged call."""
        known = {
            "id": f"s-{session}",
            "sessionId": session,
            "extensionNumber": "",
            "hashedExtensionId": "",
            "platform": user.rpartition("-")[2],
            "thirdPartyLogId": log or f"9{session}",
            "userId": user,
            "contactId": "41207",
        }
        self.add("callLogs", **{**known, **columns})

    def message(self, message: str, day: str = "c1/2026-01-14", user: str = "u1-testCRM", **columns: Any) -> None:
        """A logged message."""
        known = {
            "id": message,
            "conversationId": day.partition("/")[0],
            "conversationLogId": day,
            "thirdPartyLogId": "7001",
            "platform": user.rpartition("-")[2],
            "userId": user,
        }
        self.add("messageLogs", **{**known, **columns})

    def close(self) -> None:
        self._connection.close()
