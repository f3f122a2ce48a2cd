"""Django's SQLite backend for a server of many threads and a few processes.

A connection stays open from request to request. A commit is on disk before it returns, except within
``audit.durability.unflushed``. Writers of a process take turns, so that only one of each process waits for the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db.backends.sqlite3.base import DatabaseWrapper as Sqlite
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from django.db.utils import OperationalError

Result = TypeVar("Result")

#: Seconds for which a statement waits for its turn, and for another process.
_PATIENCE = 20.0
#: SQLite's own waits grow to a tenth of a second, in which others come first again and again.
_PAUSE = 0.001
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")

_turns: dict[str, threading.Lock] = {}


class DatabaseWrapper(Sqlite):
    """A connection of one thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turn = _turns.setdefault(str(self.settings_dict["NAME"]), threading.Lock())
        self._has_turn = False
        self._file: tuple[int, int] | None = None

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.execute(f"PRAGMA busy_timeout = {round(_PAUSE * 1000)}")
        self._file = self._present_file()
        return connection

    def create_cursor(self, name: Any = None) -> Any:
        cursor = self.connection.cursor(factory=_Cursor)
        cursor.turn = self._turn
        return cursor

    def close_if_unusable_or_obsolete(self) -> None:
        """Called before and after each request: a file that was moved away or put in place is opened anew."""
        if self.connection is not None and not self.in_atomic_block and self._file != self._present_file():
            self.close()
        super().close_if_unusable_or_obsolete()

    def _present_file(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.settings_dict["NAME"])
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _start_transaction_under_autocommit(self) -> None:
        _take(self._turn)
        self._has_turn = True
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc] # missing in the stubs
        except BaseException:
            self._pass_on()
            raise

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc] # missing in the stubs
        finally:
            if not (self.connection and self.connection.in_transaction):
                self._pass_on()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc] # missing in the stubs
        finally:
            self._pass_on()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc] # missing in the stubs
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turn.release()


class _Cursor(SQLiteCursorWrapper):
    turn: threading.Lock

    def execute(self, query: str, params: Any = None) -> Any:
        return self._when_free(query, lambda: super(_Cursor, self).execute(query, params))

    def executemany(self, query: str, param_list: Any) -> Any:
        return self._when_free(query, lambda: super(_Cursor, self).executemany(query, param_list))

    def _when_free(self, query: str, run: Callable[[], Result]) -> Result:
        if self.connection.in_transaction:
            return run()
        if not query.startswith(_WRITES):
            return _patiently(run)
        _take(self.turn)
        try:
            return _patiently(run)
        finally:
            self.turn.release()


def _take(turn: threading.Lock) -> None:
    if not turn.acquire(timeout=_PATIENCE):
        raise OperationalError("the database is locked by another thread")


def _patiently(run: Callable[[], Result]) -> Result:
    """Runs a statement, again and again while another process writes."""
    give_up = 0.0
    while True:
        try:
            return run()
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            now = time.monotonic()
            give_up = give_up or now + _PATIENCE
            if now > give_up:
                raise
            time.sleep(_PAUSE)
