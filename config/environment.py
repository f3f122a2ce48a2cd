"""Variables of the environment and of the files ``.env`` and ``secrets.env``, read with a type."""

from __future__ import annotations

import base64
import binascii
import os
import re
import warnings
from collections.abc import MutableMapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
ENV_FILE = BASE_DIR / ".env"
SECRETS_FILE = "secrets.env"

_LINE = re.compile(r"(?:export )?[A-Za-z_]\w*=.*|#.*|\s*", re.ASCII)
_HOST_PATTERN = re.compile(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
_SENTRY = re.compile(r"https?://[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?@[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._-]+)*/\d+")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
DATABASE_FORM = "postgres://user:password@host:5432/name, or sqlite:////absolute/path.sqlite3"
_KEYS_FORM = "<key id>:<base64url of 32 bytes>, comma-separated"


class WrongFile(ValueError):
    """A file of variables cannot be read; the text says which, where and why."""


def file_values(path: Path) -> dict[str, str]:
    """The variables of a file with lines ``NAME=value``; nothing where there is no such file. Raises ``WrongFile``."""

    class File(environ.Env):  # type: ignore[misc] # untyped; by itself it writes into the environment of this process
        ENVIRON: dict[str, str] = {}

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WrongFile(f"{path} cannot be read: {reason}.") from None
    for number, line in enumerate(text.splitlines(), 1):
        if not _LINE.fullmatch(line):  # its text is not repeated: it may be half of a secret
            raise WrongFile(
                f"{path} line {number} must be NAME=value without spaces before the =, a comment, or empty."
            )
    with path.open(encoding="utf-8-sig") as file:
        File.read_env(file)
    return File.ENVIRON


def take_missing(values: MutableMapping[str, str], further: dict[str, str]) -> None:
    """Adds to ``values`` what it lacks; an empty variable counts as unset."""
    values.update({name: value for name, value in further.items() if value and not values.get(name)})


def var_folder(values: MutableMapping[str, str]) -> Path:
    """Where this installation keeps its own files: secrets, the SQLite database, passwords made at the first start."""
    return BASE_DIR / (values.get("VAR_DIR") or "var")


def own_host(url: str) -> str:
    """The host of an address, as ALLOWED_HOSTS names it."""
    host = urlsplit(url).hostname or ""
    return f"[{host}]" if ":" in host else host


class Environment:
    """Reads variables; an empty one counts as unset.

    The sentence for a wrong value goes to ``problems``, and its default is returned: the settings read on, so that
    an operator is told of all mistakes at once. ``names``: every variable that was asked for.
    """

    def __init__(self, values: MutableMapping[str, str]) -> None:
        self.values = values
        self.problems: list[str] = []
        self.names: set[str] = set()

    @classmethod
    def of_process(cls) -> Environment:
        """The environment of this process, to which the variables of the two files are added."""
        reader = cls(os.environ)
        reader.take(ENV_FILE)
        reader.take(var_folder(os.environ) / SECRETS_FILE)
        return reader

    def take(self, path: Path) -> None:
        """Adds the variables of a file that are not set yet."""
        try:
            take_missing(self.values, file_values(path))
        except WrongFile as error:
            self.problems.append(str(error))

    def wrong(self, name: str, sentence: str) -> None:
        """Notes that a variable's value cannot be used; ``sentence`` goes on after its name."""
        self.problems.append(f"{name} {sentence}")

    def text(self, name: str, default: str = "") -> str:
        self.names.add(name)
        return self.values.get(name, "").strip() or default

    def texts(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """Comma-separated values."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()] or list(default)

    def secret(self, name: str, *, least: int) -> str:
        """A text nobody guesses, for a header: ASCII without spaces; never repeated."""
        text = self.text(name)
        if text and not re.fullmatch(rf"[!-~]{{{least},256}}", text):
            self.wrong(name, f"must be {least} to 256 letters, digits and signs, without spaces.")
        return text

    def switch(self, name: str, default: bool) -> bool:
        """on/off, true/false, yes/no, 1/0."""
        text = self.text(name).lower()
        if text and text not in ("on", "true", "yes", "1", "off", "false", "no", "0"):
            self.wrong(name, f"must be on or off, not {_shown(text)}.")
            return default
        return text in ("on", "true", "yes", "1") if text else default

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """One of ``choices``; the first is the default."""
        text = self.text(name, choices[0]).lower()
        if text in choices:
            return text
        self.wrong(name, f"must be {' or '.join(choices)}, not {_shown(text)}.")
        return choices[0]

    def country(self, name: str, default: str) -> str:
        """An ISO country of two letters."""
        text = self.text(name, default).upper()
        if f"\n{text}\t" in files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text("utf-8"):
            return text
        self.wrong(name, f"must be an ISO country of two letters, such as US or GB, not {_shown(text)}.")
        return default

    def number(self, name: str, default: float, *, least: float = 0, most: float) -> float:
        text = self.text(name)
        try:
            value = float(text) if text else float(default)
        except ValueError:
            self.wrong(name, f"must be a number from {least:g} to {most:g}, not {_shown(text)}.")
            return default
        if not least <= value <= most:
            self.wrong(name, f"must be a number from {least:g} to {most:g}, not {_shown(text)}.")
            return default
        return value

    def whole(self, name: str, default: int, *, least: int = 0, most: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            self.wrong(name, f"must be a whole number from {least} to {most}, not {_shown(text)}.")
            return default
        return int(text)

    def rate(self, name: str, default: str) -> tuple[int, int]:
        """A request rate such as ``30/min``, as requests and seconds."""
        text = self.text(name, default)
        match = re.fullmatch(r"([1-9]\d{0,8})/(s|sec|m|min|h|hour|d|day)", text, re.ASCII)
        if not match:
            self.wrong(name, f"must look like 30/min, not {_shown(text)}.")
            return 0, 1
        return int(match[1]), {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2][0]]

    def url(self, name: str, default: str = "", *, example: str = "https://switchboard.example.com") -> str:
        """An http or https address without a query, without its last slash; "" where none is set."""
        text = self.text(name, default)
        if text and not _is_web_address(text):
            self.wrong(name, f"must be an address such as {example}, not {_shown(text)}.")
            return default
        return text.rstrip("/")

    def sentry(self, name: str) -> str:
        """The address (DSN) of a project at Sentry, ``https://key@host/number``; never repeated: it holds a key."""
        text = self.text(name)
        if text and not _SENTRY.fullmatch(text):
            self.wrong(name, "must be the DSN of a Sentry project, such as https://key@sentry.example.com/2.")
            return ""
        return text

    def link(self, name: str, *, mail: bool = False) -> str:
        """An address for people's browsers, "" where none is set; with ``mail`` also ``mailto:``."""
        text = self.text(name)
        if text and not text.startswith(("https://", "http://", *(["mailto:"] if mail else []))):
            self.wrong(name, f"must be an https:// address{' or mailto:' if mail else ''}, not {_shown(text)}.")
            return ""
        return text

    def hosts(self, name: str, default: Sequence[str]) -> list[str]:
        """Host names as Django's ALLOWED_HOSTS takes them."""
        found = self.texts(name, default)
        if odd := next((host for host in found if not _HOST_PATTERN.fullmatch(host)), None):
            self.wrong(name, f"must be host names without scheme or port, comma-separated, not {_shown(odd)}.")
            return list(default)
        return found

    def folders(self, name: str) -> list[str]:
        """Comma-separated paths of folders that exist."""
        found = self.texts(name)
        if missing := next((path for path in found if not Path(path).is_dir()), None):
            self.wrong(name, f"names {_shown(missing)}, which is no folder.")
            return []
        return found

    def certificates(self, name: str) -> str:
        """The path of a file with certificates in PEM form."""
        path = self.text(name)
        try:
            if not path or b"-----BEGIN " in Path(path).read_bytes():
                return path
            reason = "which holds no certificate in PEM form"
        except OSError as error:
            reason = f"which cannot be read: {error.strerror}"
        self.wrong(name, f"names {_shown(path)}, {reason}.")
        return ""

    def proxy(self, name: str) -> str:
        """The address of a proxy; it may hold a password, so it is not repeated."""
        text = self.text(name)
        parts = _split(text)
        if text and (parts is None or parts.scheme not in ("http", "https") or not parts.hostname):
            self.wrong(name, "must be an address such as http://proxy.example.com:3128.")
            return ""
        return text

    def keys(self, name: str) -> dict[str, bytes]:
        """Encryption keys by id; the first one encrypts."""
        keys: dict[str, bytes] = {}
        for number, part in enumerate(self.texts(name), 1):
            key_id, _, encoded = part.partition(":")
            try:
                key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            except (binascii.Error, ValueError):
                key = b""
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id) or len(key) != 32:
                self.wrong(name, f"must be {_KEYS_FORM}; number {number} is not.")
            elif key_id in keys:
                self.wrong(name, f"names the key id {key_id} twice; each key needs an id of its own.")
            keys[key_id] = key
        return keys

    def database(self, name: str, default: str) -> dict[str, Any]:
        """Django's settings of a database on PostgreSQL or SQLite; its address is not repeated, for the password."""
        try:
            return _database(self.text(name, default))
        except ValueError as error:
            self.wrong(name, f"{error}; write {DATABASE_FORM}.")
            return _database(default)

    def redis(self, name: str) -> str:
        text = self.text(name)
        parts = _split(text)
        is_sound = parts is not None and (
            (
                parts.scheme in ("redis", "rediss")
                and bool(parts.hostname)
                and re.fullmatch(r"/?\d*", parts.path, re.ASCII)
            )
            or (parts.scheme == "unix" and len(parts.path) > 1)
        )
        if text and not is_sound:
            self.wrong(name, "must be an address such as redis://host:6379/0.")
            return ""
        return text


def _shown(text: str) -> str:
    """A wrong value for a message, cut; what may hold a password is left out."""
    if "@" in text:
        return "what is there"
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _split(text: str) -> SplitResult | None:
    """The parts of an address; None where it has none, or an impossible port."""
    try:
        parts = urlsplit(text)
        return parts if parts.port != 0 and not re.search(r"\s", text) else None
    except ValueError:
        return None


def _is_web_address(text: str) -> bool:
    parts = _split(text)
    return bool(
        parts
        and parts.scheme in ("http", "https")
        and re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", parts.hostname or "")
        and not (parts.query or parts.fragment or parts.username)
    )


def _database(text: str) -> dict[str, Any]:
    """Raises ``ValueError`` with the middle of a sentence."""
    scheme = text.partition(":")[0]
    if scheme not in ("postgres", "postgresql", "sqlite") or "://" not in text:
        raise ValueError("must name a PostgreSQL or SQLite database")
    if scheme == "sqlite" and not text.startswith("sqlite:///"):
        raise ValueError("needs three slashes before the path of a SQLite file, and a fourth of an absolute path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found: dict[str, Any] = environ.Env.db_url_config(text)
    except (ValueError, TypeError, UserWarning):
        raise ValueError("cannot be read: signs such as @ : / # in a password are written as %40 and so on") from None
    if found["NAME"] in ("", ":memory:"):
        raise ValueError("names no database")
    if scheme == "sqlite":
        found["NAME"] = str(BASE_DIR / found["NAME"])
    found.setdefault("OPTIONS", {})
    if (mode := found["OPTIONS"].get("sslmode", "prefer")) not in _SSL_MODES:
        raise ValueError(f"has the unknown sslmode {_shown(str(mode))}")
    return found
