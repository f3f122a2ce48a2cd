"""A connector of a reference server, whatever part of its record one has, as the two files of a folder."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.contract import Manifest, ManifestError
from adapters.contract.manifest_checks import problems
from adapters.proxy.definition import Definition, DefinitionError
from adapters.proxy.fit import misfits
from adapters.proxy.importing.document import definition_from
from adapters.proxy.importing.manifest import manifest_from
from adapters.proxy.importing.notes import Notes
from adapters.proxy.importing.shape import faults_in


class NoConnector(ValueError):
    """The JSON is no connector document."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The two files. ``notes``: what was changed; ``mistakes``: what is left to mend."""

    definition: Mapping[str, Any]
    manifest: Mapping[str, Any]
    notes: list[str]
    mistakes: list[str]


def key_in(record: Any) -> str:
    """The platform key that a record suggests; it may be none that can be used."""
    document = _document(record)
    meta = document.get("meta") if isinstance(document.get("meta"), dict) else {}
    name = str(record.get("name") or meta.get("name") or "")  # type: ignore[union-attr]
    return re.sub(r"[^a-z0-9]", "", name.lower())


def imported(record: Any, key: str, *, manifest: Any = None, hosts: Iterable[str] = ()) -> Imported:
    """Turns a record, or its document alone, into a definition and a manifest. Raises ``NoConnector``.

    ``manifest``: the connector's, where the record does not hold it. ``hosts``: further hosts that requests may go to.
    """
    document, notes = copy.deepcopy(_document(record)), Notes()
    client = copy.deepcopy(_platform(manifest or record.get("manifest"), key_in(record)))
    if faults := faults_in(document, client):
        raise NoConnector(f"this is no connector document: {'; '.join(faults)}")
    meta = document.get("meta") or {}
    definition = definition_from(document, key, notes)
    made = manifest_from(
        document,
        definition,
        client,
        key=key,
        display_name=str(record.get("displayName") or meta.get("displayName") or ""),
        hosts=hosts,
        notes=notes,
    )
    return Imported(definition=definition, manifest=made, notes=notes.lines, mistakes=_mistakes(definition, made))


def _document(record: Any) -> dict[str, Any]:
    if isinstance(record, dict):
        document = record.get("proxyConfig", record)
        if isinstance(document, dict) and isinstance(document.get("operations"), dict):
            return document
    raise NoConnector("this is no connector document: it has no 'operations'")


def _platform(manifest: Any, name: str) -> dict[str, Any]:
    """What a manifest says of the connector: its own object, or its entry among ``platforms``."""
    if not isinstance(manifest, dict):
        return {}
    platforms = manifest.get("platforms")
    if not isinstance(platforms, dict):
        return manifest
    found = next((item for key, item in platforms.items() if key.lower() == name), None)
    found = found or (next(iter(platforms.values())) if len(platforms) == 1 else None)
    return found if isinstance(found, dict) else {}


def _mistakes(definition: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    try:
        parsed = Manifest.parse(json.dumps(manifest))
    except ManifestError as error:
        return [f"manifest.json: {error}"]
    faults = [f"manifest.json: {fault}" for fault in problems(parsed)]
    try:
        return [*faults, *misfits(Definition.read(definition), parsed)]
    except DefinitionError as error:
        return [*faults, *error.mistakes]
