"""Login fields as people paste them: without what came along with a key, an address or a host."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from adapters.contract import Manifest, dig
from adapters.contract.invisible import without_invisible

#: Straight and typographic ones: “ ” „ ‘ ’ ‚ « »; and what else is copied along from text around a word.
_QUOTES = "\"'`\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
_AROUND = f"{_QUOTES}<>,;"
#: "Bearer abc", "API key: abc", "apiKey=abc": how documentation writes a key, which holds no blank itself.
_BEFORE_KEY = re.compile(
    r"^(?:authorization\s*:\s*)?(?:bearer\s+|(?:api[ _-]?)?(?:key|token)\s*[:=]\s*)(?=\S)", re.IGNORECASE
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:/+", re.IGNORECASE)
#: Where a host ends. A user name before an "@" stays, and no list of hosts knows it.
_END_OF_HOST = re.compile(r"[/:?#\\]")
_MOST_REWRITTEN = 5
#: What a field holds, by its name.
_PASSWORD = re.compile("pass(word|wort|phrase|code)|^pwd$|^pin$", re.IGNORECASE)
_KEY = re.compile("key|token|secret", re.IGNORECASE)
_ADDRESS = re.compile("ur[il]$", re.IGNORECASE)
_HOST = re.compile("host(name)?$|domain$", re.IGNORECASE)


def clean_host(text: str) -> str:
    """``app.clio.com`` for ``https://APP.CLIO.COM:443/nc/#/contacts``; nothing is decided about whose it is."""
    return _until_nothing_changes(_host_in, text)


def _host_in(text: str) -> str:
    host = _SCHEME.sub("", _clean_word(unicodedata.normalize("NFKC", text)), count=1)
    return _END_OF_HOST.split(host, maxsplit=1)[0].lower().rstrip(".")


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
    return _until_nothing_changes(lambda part: without_invisible(part).strip(), text)


def _clean_word(text: str) -> str:
    """What holds no blanks: a key, an address."""
    return "".join(without_invisible(text).split()).strip(_AROUND)


def _clean_key(text: str) -> str:
    return _clean_word(_BEFORE_KEY.sub("", without_invisible(text).strip().strip(_AROUND), count=1))


def _clean_address(text: str) -> str:
    address = _until_nothing_changes(_clean_word, text)
    return address if not address or _SCHEME.match(address) else f"https://{address.lstrip('/')}"


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
