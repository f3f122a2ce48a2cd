"""Finds manifests and imports an adapter on first use; names no CRM, only the folder that runs definitions."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from adapters.contract import CrmAdapter, Manifest, ManifestError

FOLDER = Path(__file__).resolve().parent


#: Runs the folders that hold a ``definition.json`` instead of an ``adapter.py``.
_DECLARATIVE = "adapters.proxy.loading"
#: A key that a definition may have, in small letters: part of user ids, the folder's name, the beginning of variables.
KEY = re.compile(r"[a-z][a-z0-9]{1,31}", re.ASCII)
_PORT = re.compile(r":[0-9]+$")
#: What makes a folder one that describes a CRM.
_FILES = ("manifest.json", "definition.json")


@dataclass(frozen=True)
class _Found:
    """What the folders hold; ``broken``: folder -> what is wrong, one fault a line."""

    manifests: dict[str, Manifest] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


@cache
def _read() -> _Found:
    """Our own folders, then those of ``ADAPTER_FOLDERS``, from which no Python is imported."""
    found = _Found()
    for parent in (FOLDER, *(Path(folder) for folder in settings.ADAPTER_FOLDERS)):
        for folder in sorted({path.parent for name in _FILES for path in parent.glob(f"*/{name}")}):
            try:
                manifest = Manifest.parse((folder / "manifest.json").read_text(encoding="utf-8-sig"))
                reason = _fault(manifest, folder, found)
            except FileNotFoundError:
                reason = "manifest.json is missing"
            except (ManifestError, OSError, UnicodeDecodeError) as error:
                reason = f"manifest.json: {error}"
            if reason:
                found.broken[folder.name if parent == FOLDER else str(folder)] = reason
            else:
                found.manifests[manifest.name] = manifest
                found.folders[manifest.name] = folder
    return found


def _fault(manifest: Manifest, folder: Path, found: _Found) -> str:
    """Why a folder cannot be used; a definition is read with its manifest, so that one that is wrong stops no other."""
    if manifest.name.lower() != folder.name:
        return f"the platform key {manifest.name!r} does not fit the folder"
    if any(name.lower() == folder.name for name in found.manifests):
        return f"the platform key {manifest.name!r} is taken"
    if _is_declarative(folder):
        if not KEY.fullmatch(folder.name):
            return f"the platform key {manifest.name!r} must be 2 to 32 letters and digits, a letter first"
        mistakes: list[str] = importlib.import_module(_DECLARATIVE).mistakes_in(folder, manifest)
        return "\n".join([*mistakes, *_of_a_private_network(manifest)])
    if folder.parent == FOLDER:
        return ""
    if (folder / "adapter.py").exists():
        return "a further folder of adapters may hold definitions only, no Python"
    return "definition.json is missing"


def _of_a_private_network(manifest: Manifest) -> list[str]:
    """What a definition may hold only where the operator lets requests into a private network."""
    if settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES or manifest.server.sandbox:
        return []
    only = "only where OUTBOUND_ALLOW_PRIVATE_ADDRESSES is on"
    ports = [host for host in hosts_for(manifest) if _PORT.search(host) and not host.endswith(":443")]
    found = [f"manifest.json: server.hosts: {host!r} names a port: {only}" for host in ports]
    if manifest.base_url(secrets=secrets_for(manifest)).startswith("http://"):
        found.append(f"manifest.json: server.base_url is http: {only}")
    return found


def speaks_plain_http(manifest: Manifest) -> bool:
    """Whether requests to this CRM may leave without TLS: to the sandbox, and where a definition says so and may."""
    if manifest.server.sandbox:
        return True
    is_plain = manifest.base_url(secrets=secrets_for(manifest)).startswith("http://")
    return is_plain and settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES and _is_declarative(folder_of(manifest.name))


def _is_declarative(folder: Path) -> bool:
    return not (folder / "adapter.py").exists() and (folder / "definition.json").exists()


@cache
def manifests() -> dict[str, Manifest]:
    """Platform key -> manifest of every enabled adapter; nothing is imported."""
    enabled = {name.lower() for name in settings.ENABLED_ADAPTERS}
    return {
        name: manifest
        for name, manifest in _read().manifests.items()
        if (not enabled or name.lower() in enabled) and (settings.SANDBOX or not manifest.server.sandbox)
    }


def configured() -> dict[str, Manifest]:
    """Those of ``manifests()`` that lack no secret: the ones a user can log in to."""
    return {name: manifest for name, manifest in manifests().items() if not missing_secrets(manifest)}


def shipped() -> dict[str, Manifest]:
    """Platform key -> manifest of every adapter in our own folders, also of those that are switched off."""
    found = _read()
    return {name: manifest for name, manifest in found.manifests.items() if found.folders[name].parent == FOLDER}


def broken() -> dict[str, str]:
    """Folder -> what is wrong, one fault a line, for those that cannot be offered."""
    return dict(_read().broken)


def find_platform(name: str) -> str | None:
    """The platform key that is ``name`` in any letter case."""
    return next((key for key in manifests() if key.lower() == name.lower()), None)


def display_name(platform: str) -> str:
    """What people call a CRM; of one that is not enabled only the platform key is known."""
    manifest = manifests().get(platform)
    return manifest.display_name if manifest else platform


def folder_of(platform: str) -> Path:
    return _read().folders.get(platform, FOLDER / platform.lower())


@cache
def adapter_class(platform: str) -> type[CrmAdapter]:
    """The adapter of a platform, imported on first use. Raises ``ImproperlyConfigured`` naming the folder."""
    folder = folder_of(platform)
    try:
        if _is_declarative(folder):
            return importlib.import_module(_DECLARATIVE).for_definition(folder)  # type: ignore[no-any-return]
        module = importlib.import_module(f"adapters.{folder.name}.adapter")
        return module.Adapter  # type: ignore[no-any-return]
    except Exception as error:
        raise ImproperlyConfigured(
            f"adapters/{folder.name} cannot be imported: {type(error).__name__}: {error}"
        ) from error


#: As they are here, whatever a test has put in the place of one.
_CACHED = (_read, manifests, adapter_class)


def forget() -> None:
    """Reads the folders anew at the next use, for tests and commands that change them."""
    for function in _CACHED:
        function.cache_clear()


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
