"""Login fields as people paste them: without what came along with a key, an address or a host."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from adapters.contract import Manifest, dig
from adapters.contract.invisible import without_invisible

#: Straight and typographic ones: “ ” „ ‘ ’ ‚ « »; and what else is copied along from text around a word.
_QUOTES = "\"'`\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
_AROUND = f"{_QUOTES}<>,;()[]{{}}*\u2022"
#: What a terminal puts around pasted text, also where the escape sign is lost, and other sequences of its own.
_TERMINAL = re.compile(r"(?:\x1b|\^\[)?\[20[01]~|\x1b\[[0-9;]*[A-Za-z~]")
#: "Bearer abc", "X-API-Key: abc", "apiKey=abc": how documentation writes a key, which holds no blank itself.
_BEFORE_KEY = re.compile(
    r"^(?:authorization\s*:\s*)?(?:(?:bearer|token)\s+|(?:x-)?(?:api[ _-]?|auth[ _-]?)?(?:key|token)\s*[:=]\s*)(?=\S)",
    re.IGNORECASE,
)
_BASIC = re.compile(r"^(?:authorization\s*:\s*)?basic\s+([0-9A-Za-z+/=]+)$", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:[/\\]+|h(?:tt|xx)ps?(?:[:;]+[/\\]*|[/\\]{2,})", re.IGNORECASE)
#: [Clio](https://app.clio.com), "URL: https://app.clio.com", and the stops of other scripts.
_LINK = re.compile(r"\[[^\]]*\]\((.*)\)")
_LABEL = re.compile(r"(?:ur[il]|link|host(?:name)?|domain|server|address|(?:web)?site)[:=](?=[^0-9])", re.IGNORECASE)
_STOPS = str.maketrans("\u3002\uff0e\uff61", "...")
_WITH_SIGNS = re.compile("%(?:3a|2f)", re.IGNORECASE)
#: Where a host ends. A user name before an "@" stays, and no list of hosts knows it.
_END_OF_HOST = re.compile(r"[/:?#\\]")
_MOST_REWRITTEN = 5
#: What a field holds, by its name.
_PASSWORD = re.compile("pass(word|wort|phrase|code)|^pwd$|^pin$", re.IGNORECASE)
_KEY = re.compile("key|token|secret", re.IGNORECASE)
_ADDRESS = re.compile("ur[il]$", re.IGNORECASE)
_HOST = re.compile("host(name)?$|domain$", re.IGNORECASE)
_USER = re.compile("user|mail|login", re.IGNORECASE)
#: "Kim <kim@example.com>", mailto:kim@example.com, "kim@example.com".
_MAILBOX = re.compile(r"[^<>]*<([^<>\s]+@[^<>\s]+)>")
_MAILTO = "mailto:"
_QUOTED = re.compile(f"[{_QUOTES}](.*)[{_QUOTES}]")


def clean_host(text: str) -> str:
    """``app.clio.com`` for ``https://APP.CLIO.COM:443/nc/#/contacts``; nothing is decided about whose it is."""
    return _until_nothing_changes(_host_in, text)


def _host_in(text: str) -> str:
    address = _address_in(unicodedata.normalize("NFKC", text))
    host = _SCHEME.sub("", address.lstrip("/\\"), count=1).lstrip("/\\")
    return _END_OF_HOST.split(host, maxsplit=1)[0].lower().rstrip(".")


def _address_in(text: str) -> str:
    """The address in a link of Markdown, behind a label, or with its signs encoded."""
    text = without_invisible(text).strip()
    if found := _LINK.fullmatch(text):
        text = found[1]
    address = _LABEL.sub("", _clean_word(text).translate(_STOPS), count=1)
    return unquote(address) if _WITH_SIGNS.search(address) else address


def _until_nothing_changes(clean: Callable[[str], str], text: str) -> str:
    """What is taken off may uncover more of the kind: a quote behind a dot, say.

    A letter in lower case may have another normal form, so that some rounds only rewrite; a few of these suffice.
    """
    rewritten = 0
    while (cleaner := clean(text)) != text and rewritten < _MOST_REWRITTEN:
        rewritten += len(cleaner) >= len(text)
        text = cleaner
    return cleaner


def clean_fields(manifest: Manifest, fields: Mapping[str, str]) -> dict[str, str]:
    """The fields of a login form by what they are, which their names and the form's widgets tell."""
    rows = dig(manifest.client, "auth.apiKey.page.content", list, [])
    hidden = {
        row.get("const")
        for row in rows
        if isinstance(row, dict) and dig(row, "uiSchema", dict, {}).get("ui:widget") == "password"
    }
    return {name: _clean(name, text, is_hidden=name in hidden) for name, text in fields.items()}


def _clean(name: str, text: str, *, is_hidden: bool) -> str:
    if _PASSWORD.search(name) or (is_hidden and not _KEY.search(name)):
        return _without_invisible_ends(text)
    if _KEY.search(name):
        return _until_nothing_changes(_clean_key, text)
    if _ADDRESS.search(name):
        return _clean_address(text)
    if _HOST.search(name):
        return clean_host(text)
    clean = _clean_user if _USER.search(name) else lambda part: _without_controls(part).strip()
    return _until_nothing_changes(clean, text)


def _without_controls(text: str) -> str:
    """Without what nobody sees, what a terminal adds, and signs of control; blanks and breaks stay."""
    text = _TERMINAL.sub("", without_invisible(text))
    return "".join(char for char in text if char.isspace() or unicodedata.category(char) != "Cc")


def _clean_word(text: str) -> str:
    """What holds no blanks: a key, an address."""
    return "".join(_without_controls(text).split()).strip(_AROUND)


def _clean_key(text: str) -> str:
    text = _without_controls(text).strip().strip(_AROUND)
    if found := _BASIC.match(text):
        text = _user_of(found[1])
    key = _clean_word(_BEFORE_KEY.sub("", text, count=1))
    plain = unicodedata.normalize("NFKC", key)
    return plain if plain.isascii() else key  # letters of full width


def _user_of(encoded: str) -> str:
    """The user name, which is the key, of what ``Authorization: Basic`` is followed by."""
    try:
        user = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")[0]
    except ValueError:
        return encoded
    return user if user.isprintable() and user else encoded


def _clean_user(text: str) -> str:
    text = _without_controls(text).strip()
    if found := _MAILBOX.fullmatch(text) or _QUOTED.fullmatch(text):
        text = found[1]
    return text[len(_MAILTO) :] if text[: len(_MAILTO)].lower() == _MAILTO else text


def _clean_address(text: str) -> str:
    address = _until_nothing_changes(_address_in, text).lstrip("/\\")
    scheme = _SCHEME.match(address)
    if not address or (scheme and scheme[0].endswith("://")):
        return address
    return f"https://{address[scheme.end() :] if scheme else address}"


def _without_invisible_ends(text: str) -> str:
    """A password may hold anything; at its ends it loses what nobody can see or type: no blanks, no quotes."""
    begin, end = 0, len(text)
    while begin < end and _is_invisible(text[begin]):
        begin += 1
    while begin < end and _is_invisible(text[end - 1]):
        end -= 1
    return text[begin:end]


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in ("Cf", "Cc", "Zl", "Zp")
