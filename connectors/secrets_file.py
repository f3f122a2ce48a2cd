"""Makes the secrets an installation needs; free of Django, since no settings can be read without them."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

#: Required when DEBUG is off.
SECRETS = ("APP_SERVER_SECRET_KEY", "CREDENTIAL_KEYS", "HASH_KEY")


def make(name: str) -> str:
    """A random value for one of ``SECRETS``."""
    if name == "CREDENTIAL_KEYS":
        return f"k{secrets.token_hex(3)}:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return secrets.token_urlsafe(48)


def add(path: Path, made: dict[str, str]) -> None:
    """Writes secrets at the end of a file that only its owner can read; nothing in it is lost.

    Raises ``OSError``.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        ends_in_line = not (text := file.read()) or text.endswith("\n")
        file.write(("" if ends_in_line else "\n") + "".join(f"{name}={value}\n" for name, value in made.items()))
