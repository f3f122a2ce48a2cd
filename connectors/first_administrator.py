"""Keeps the password of an administrator made by ``prepare`` in a file that only its owner can read.

Each database has a file of its own, which names it: several installations may share a folder, and none overwrites
what another one keeps.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.conf import settings

NAME = "admin"
_STEM = "administrator"


def new_password() -> str:
    return secrets.token_urlsafe(12)


def file_of(database: str) -> Path | None:
    """The file kept for that database, if it is there."""
    return next((path for path in _files() if _read(path).get("database") == database and password_in(path)), None)


def password_in(path: Path) -> str:
    return _read(path).get("password", "")


def keep(database: str, password: str) -> Path:
    """Writes a new file. Raises ``OSError``."""
    text = f"user {NAME}\npassword {password}\ndatabase {database}\n"
    number = 1
    while True:
        path: Path = settings.VAR_DIR / (f"{_STEM}.txt" if number == 1 else f"{_STEM}-{number}.txt")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        return path


def _files() -> list[Path]:
    return sorted(settings.VAR_DIR.glob(f"{_STEM}*.txt"))


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}
