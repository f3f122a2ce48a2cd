"""Whether a secret is fit for production; free of Django, since settings and checks both ask."""

from __future__ import annotations

import hashlib

#: What a signing key stands for without one; refused wherever DEBUG is off.
DEVELOPMENT_SECRET = "development-only"  # noqa: S105
DEVELOPMENT_KEY = hashlib.sha256(DEVELOPMENT_SECRET.encode()).digest()
#: RFC 7518 section 3.2: a key of HS256 has at least as many bits as the hash.
_LEAST_BYTES = 32
#: 32 random bytes repeat themselves, but never this much (fewer than 16 different ones: about once in 10**15).
_LEAST_DIFFERENT = 16
#: Fewer different characters than any generator leaves in 32 of them, even of hexadecimal digits.
_LEAST_CHARACTERS = 8
_KNOWN = ("development", "insecure", "changeme", "change-me", "change_me", "replace-me", "your-secret", "password")


def weakness_of_secret(secret: str) -> str:
    """Why a secret text must not be used in production, as the end of a sentence; empty when it may."""
    lowered = secret.lower()
    if secret == DEVELOPMENT_SECRET or any(word in lowered for word in _KNOWN):
        return "is a known placeholder"
    if len(secret.encode()) < _LEAST_BYTES:
        return f"is shorter than {_LEAST_BYTES} bytes"
    if len(set(secret)) < _LEAST_CHARACTERS:
        return "repeats a few characters"
    return ""


def weakness_of_key(key: bytes) -> str:
    """The same for a key of 32 bytes."""
    if key == DEVELOPMENT_KEY:
        return "is the development key"
    return "is not random" if len(set(key)) < _LEAST_DIFFERENT else ""
