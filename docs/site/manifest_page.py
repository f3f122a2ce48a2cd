"""The page of the manifest's keys, out of the schema by which editors complete manifests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from adapters.contract.manifest_schema import manifest_schema
from docs.site.source_code import as_markdown

Schema = dict[str, Any]

_INTRODUCTION = """\
# Every manifest key

`manifest.json` of an adapter has two halves: `client` is what the extension reads, `server` what only Switchboard needs
to know. This page is made from `adapters/schemas/manifest.schema.json`, by which editors complete manifests.
`manage.py check_adapters` lists every fault of a manifest.
"""
_ABOUT_CLIENT = """\
## The client half

`/crmManifest` answers with this half of each CRM under `platforms`; `serverUrl`, `redirectUri`, `author` and `version`
around it are set by this server. `${VARIABLE}` in any text is filled in with a variable of `server.secrets` or
`server.settings`. Keys that are not listed are passed on as they are. *Newer versions* are those
[after 1.7](../with-the-extension.md#the-newer-version).
"""
_KINDS = {"string": "text", "boolean": "true, false", "integer": "whole number", "number": "number", "object": "object"}


def manifest_page() -> str:
    """The page as Markdown."""
    return "\n".join(_page()) + "\n"


def keys_of(schema: Schema, name: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Every key of an object and of what is in it: its whole name, its schema, whether it has to be given."""
    for key, member in schema["properties"].items():
        full = f"{name}.{key}" if name else key
        yield full, member, key in schema.get("required", ())
        inner = member.get("items", member)
        if "properties" in inner:
            yield from keys_of(inner, f"{full}[]" if "items" in member else full)


def _page() -> Iterator[str]:
    schema = manifest_schema()
    yield _INTRODUCTION
    yield _ABOUT_CLIENT
    yield from _table(schema["properties"]["client"], "client")
    for name, part in schema["$defs"].items():
        yield f"\n### {_in_words(name).capitalize()}\n\n{part['description']}\n"
        yield from _table(part)
    yield "\n## The server half\n"
    yield from _table(schema["properties"]["server"], "server")


def _table(schema: Schema, name: str = "") -> Iterator[str]:
    yield "| Key | Value | Meaning |\n|---|---|---|"
    for key, member, is_required in keys_of(schema, name):
        value = _value(member) + (", required" if is_required else "")
        yield f"| `{key}` | {value} | {' '.join(_meaning(member))} |"


def _meaning(member: Schema) -> Iterator[str]:
    yield as_markdown(member.get("description", ""))
    if choices := member.get("enum") or member.get("items", {}).get("enum"):
        yield f"One of {', '.join(f'`{choice}`' for choice in choices)}."
    if "default" in member:
        yield f"Default: `{json.dumps(member['default'])}`."


def _value(schema: Schema) -> str:
    """The kind of a value in words, with a link where it is a part that is described by itself."""
    if part := schema.get("$ref", "").rpartition("/")[2]:
        return f"[{_in_words(part)}](#{_in_words(part).replace(' ', '-')})"
    if schema.get("type") == "array":
        return f"list: {_value(schema['items'])}"
    return _KINDS.get(schema.get("type", ""), "text" if "enum" in schema else "any")


def _in_words(name: str) -> str:
    return re.sub("([A-Z])", r" \1", name).lower()
