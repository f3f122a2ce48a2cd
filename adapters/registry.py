"""Finds manifests and imports an adapter on first use; names no CRM."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from adapters.contract import CrmAdapter, Manifest, ManifestError

FOLDER = Path(__file__).resolve().parent


@cache
def _read() -> tuple[dict[str, Manifest], dict[str, str]]:
    found: dict[str, Manifest] = {}
    broken: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*/manifest.json")):
        try:
            manifest = Manifest.parse(path.read_text(encoding="utf-8"))
        except (ManifestError, OSError, UnicodeDecodeError) as error:
            broken[path.parent.name] = str(error)
            continue
        if manifest.name.lower() != path.parent.name:
            broken[path.parent.name] = f"the platform key {manifest.name!r} does not fit the folder"
            continue
        found[manifest.name] = manifest
    return found, broken


@cache
def manifests() -> dict[str, Manifest]:
    """Platform key -> manifest of every enabled adapter; nothing is imported."""
    enabled = {name.lower() for name in settings.ENABLED_ADAPTERS}
    return {
        name: manifest
        for name, manifest in _read()[0].items()
        if (not enabled or name.lower() in enabled) and (settings.SANDBOX or not manifest.server.sandbox)
    }


def broken() -> dict[str, str]:
    """Folder -> what is wrong, for manifests that could not be read."""
    return dict(_read()[1])


def find_platform(name: str) -> str | None:
    """The platform key that is ``name`` in any letter case."""
    return next((key for key in manifests() if key.lower() == name.lower()), None)


def folder_of(platform: str) -> Path:
    return FOLDER / platform.lower()


@cache
def adapter_class(platform: str) -> type[CrmAdapter]:
    """The adapter of a platform, imported on first use. Raises ``ImproperlyConfigured`` naming the folder."""
    folder = folder_of(platform)
    try:
        if not (folder / "adapter.py").exists() and (folder / "definition.json").exists():
            declarative = importlib.import_module("adapters.proxy.adapter")
            return declarative.for_definition(folder)  # type: ignore[no-any-return]
        module = importlib.import_module(f"adapters.{folder.name}.adapter")
        return module.Adapter  # type: ignore[no-any-return]
    except Exception as error:
        raise ImproperlyConfigured(
            f"adapters/{folder.name} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def secrets_for(manifest: Manifest) -> dict[str, str]:
    """Values of the variables the manifest names; its own defaults, "" for a missing secret."""
    given = settings.ADAPTER_VARIABLES
    values = {name: given.get(name) or "" for name in manifest.server.secrets}
    return {**values, **{name: given.get(name) or default for name, default in manifest.server.settings.items()}}


def missing_secrets(manifest: Manifest) -> list[str]:
    """Names of the secrets that are not set."""
    return [name for name in manifest.server.secrets if not settings.ADAPTER_VARIABLES.get(name)]


def hosts_for(manifest: Manifest) -> list[str]:
    """The allowed hosts, ``${VARIABLE}`` replaced by host and port of the URL it holds."""
    return [host for host in _hosts(manifest).values() if host]


def variables_without_host(manifest: Manifest) -> list[str]:
    """Names of the variables that should hold the URL of a host and do not."""
    return [entry[2:-1] for entry, host in _hosts(manifest).items() if not host]


def _hosts(manifest: Manifest) -> dict[str, str]:
    """Host, or "", by its entry in the manifest."""
    variables = secrets_for(manifest)
    return {
        entry: _host_of(variables.get(entry[2:-1], "")) if entry.startswith("${") else entry
        for entry in manifest.server.hosts
    }


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
