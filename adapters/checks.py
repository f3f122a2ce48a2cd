"""System checks: broken manifests and adapters are errors, adapters that cannot be used as set up are warnings."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from adapters import registry
from adapters.contract import CrmAdapter, Manifest
from adapters.contract.manifest_checks import problems


def check_adapters(app_configs: Any = None, **options: Any) -> list[CheckMessage]:
    """Every fault of every adapter; imports them all.

    E001: a manifest or definition cannot be used, one message for each mistake. E002: an adapter cannot be imported.
    E003: manifest or adapter break a rule.
    """
    found: list[CheckMessage] = [
        Error(f"{folder}: {line}", hint="Mend its manifest.json, or its definition.json.", id="adapters.E001")
        for folder, reason in registry.broken().items()
        for line in reason.splitlines()
    ]
    for platform, manifest in registry.manifests().items():
        folder = registry.folder_of(platform)
        try:
            adapter: type[CrmAdapter] | None = registry.adapter_class(platform)
        except ImproperlyConfigured as error:
            found.append(Error(f"{folder.name}: {error}", id="adapters.E002"))
            adapter = None
        faults = problems(manifest, folder=folder, adapter=adapter)
        found += [Error(f"{folder.name}: {fault}", id="adapters.E003") for fault in faults]
    return found


def check_configuration(app_configs: Any = None, **options: Any) -> list[CheckMessage]:
    """What this installation lacks; imports no adapter.

    W001: secrets of an adapter are missing. W002: ENABLED_ADAPTERS names a platform there is no adapter for. W003: no
    adapter is left. W004: a variable that should hold the URL of a CRM does not.
    """
    found: list[CheckMessage] = []
    manifests = registry.manifests()
    for name in settings.ENABLED_ADAPTERS:
        if registry.find_platform(name) is None:
            hint = f"There are: {', '.join(manifests)}." if manifests else None
            found.append(Warning(f"ENABLED_ADAPTERS names {name}, which is not there.", hint=hint, id="adapters.W002"))
    if not manifests:
        found.append(Warning("No adapter is switched on, so nobody can log in.", id="adapters.W003"))
    for platform, manifest in manifests.items():
        found += _configuration(platform, manifest)
    return found


def _configuration(platform: str, manifest: Manifest) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    name = f"{manifest.display_name} ({platform})"
    if missing := registry.missing_secrets(manifest):
        hint = f"The extension does not offer it. Set them, or leave {platform} out of ENABLED_ADAPTERS."
        message = f"{name} is not configured: {', '.join(missing)} missing."
        found.append(Warning(message, hint=hint, id="adapters.W001"))
    for variable in registry.variables_without_host(manifest):
        if variable not in missing:
            found.append(Warning(f"{name} cannot be reached: {variable} holds no URL.", id="adapters.W004"))
    return found
