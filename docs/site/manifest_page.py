"""The page of the manifest's keys, out of the classes that read them."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.contract.manifest import AUTH_TYPES, EXEMPTIBLE_RULES, OPTIONAL_OPERATIONS, TOKEN_AUTHS
from docs.site.source_code import Class, Member, Module
from docs.site.sources import ROOT

_INTRODUCTION = """\
# Every manifest key

`manifest.json` of an adapter has two halves: `client` is what the extension reads, `server` what only Switchboard needs
to know. This page is made from the sources whenever the site is built. `manage.py check_adapters` lists every fault of
a manifest.
"""
#: Key of the server half -> class that reads what it holds.
_INNER = {"auth": "Auth", "pace": "Pace", "routes": "Route"}
#: Key -> the only texts that it may hold.
_CHOICES = {
    "server.auth.type": AUTH_TYPES,
    "server.auth.token_auth": TOKEN_AUTHS,
    "server.capabilities": OPTIONAL_OPERATIONS,
    "server.exempt": EXEMPTIBLE_RULES,
}
_KINDS = {
    "tuple[str, ...]": "list of texts",
    "Mapping[str, str]": "object of texts",
    "str": "text",
    "bool": "true, false",
}


def manifest_page() -> str:
    """The page as Markdown."""
    return "\n".join(_page()) + "\n"


def server_keys() -> list[tuple[str, Member]]:
    """Every key of the server half with its whole name, such as ``server.pace.starts``."""
    classes = Module(ROOT / "adapters" / "contract" / "manifest.py").classes()
    return list(_keys("server", classes["ServerHalf"], classes))


def _keys(where: str, found: Class, classes: dict[str, Class]) -> Iterator[tuple[str, Member]]:
    for member in found.fields:
        name = f"{where}.{member.name}"
        yield name, member
        if member.name in _INNER:
            yield from _keys(f"{name}[]" if member.name == "routes" else name, classes[_INNER[member.name]], classes)


def _page() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## The server half\n"
    yield "| Key | Value | Default | Meaning |\n|---|---|---|---|"
    for name, member in server_keys():
        kind = next((text for hint, text in _KINDS.items() if member.type == hint), "")
        default = f"`{member.default}`" if member.default and not kind.startswith(("list", "object")) else ""
        choices = ", ".join(f"`{choice}`" for choice in _CHOICES.get(name, ()))
        meaning = " ".join([member.text, f"One of {choices}." if choices else ""]).strip()
        yield f"| `{name}` | {kind} | {default} | {' '.join(meaning.split())} |"
