"""Settings of the test run: the real ones with fixed keys, the sandbox on, and a database of its own."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
from pathlib import Path

# What is imported stays: looking through it again and again takes a third of the start. See tests/conftest.py.
gc.disable()

os.environ.update(
    {
        "APP_SERVER_SECRET_KEY": "a-secret-key-for-tests-only-0123456789",
        "CREDENTIAL_KEYS": "test:dGhlLXRlc3RzLWtleS1vbmx5LTAxMjM0NTY3ODlhYmM",
        "HASH_KEY": "demo-hash-key",
        "SANDBOX": "on",
        "DEBUG": "off",
        "ALLOWED_HOSTS": "*",
        "WEB_QUEUE_SECONDS": "30",  # however slow this machine is
    }
)

from config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Files are looked up when asked for: each test's client would list all of them first, which takes half of its time.
WHITENOISE_AUTOREFRESH = True
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

if DATABASES["default"]["ENGINE"].endswith("sqlite"):  # noqa: F405
    # A file, in WAL mode as in production: threads of an in-memory database lock each other out. In memory where
    # there is enough of it: each of thousands of tests would wait for the disk many times.
    _memory = Path("/dev/shm")
    _has_memory = os.access(_memory, os.W_OK) and shutil.disk_usage(_memory).free > 2**29
    _name = f"switchboard-{hashlib.sha256(bytes(VAR_DIR)).hexdigest()[:12]}.sqlite3"  # noqa: F405
    DATABASES["default"]["TEST"] = {  # noqa: F405
        "NAME": _memory / _name if _has_memory else VAR_DIR / "test.sqlite3"  # noqa: F405
    }
