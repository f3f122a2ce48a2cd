"""Telephone numbers as they are stored beside a log: found again by whoever knows the number, read by nobody."""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings


def hashed_number(number: str) -> str:
    """HMAC-SHA256 with HASH_KEY of a number in E.164, or of an extension's digits; "" for no number."""
    return hmac.digest(settings.HASH_KEY.encode(), f"number:{number}".encode(), hashlib.sha256).hex() if number else ""


def ending_of(number: str) -> str:
    """The last four digits."""
    return "".join(char for char in number if char.isascii() and char.isdigit())[-4:]
