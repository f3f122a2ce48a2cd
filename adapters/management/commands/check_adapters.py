"""Prints every fault of every adapter; exit status 1 if there is one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from adapters import registry
from adapters.contract.manifest_checks import problems


class Command(BaseCommand):
    help = "Checks the manifests and adapters of all CRMs."

    def handle(self, *args: Any, **options: Any) -> None:
        faults = [f"{folder}: {reason}" for folder, reason in registry.broken().items()]
        for platform, manifest in registry.manifests().items():
            folder = registry.folder_of(platform)
            try:
                adapter = registry.adapter_class(platform)
            except ImproperlyConfigured as error:
                faults.append(f"{folder.name}: {error}")
                continue
            faults.extend(f"{folder.name}: {fault}" for fault in problems(manifest, folder=folder, adapter=adapter))
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError(f"{len(faults)} problem(s) found.")
        self.stdout.write(f"{len(registry.manifests())} adapters, no problems.")
