"""Adapters of a test in a folder of their own, in place of the real ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import adapters
from adapters import registry
from adapters.readiness import checklist, login

#: Rooms beside the adapters that a test may need for the first time within the block: they are found no more there.
_LOADED = (checklist, login)


@contextmanager
def only_adapters_in(folder: Path) -> Iterator[None]:
    """Within the block the registry knows the adapters in ``folder`` and no others."""
    try:
        with mock.patch.object(registry, "FOLDER", folder), mock.patch.object(adapters, "__path__", [str(folder)]):
            kept = _without_adapters(folder)
            registry.forget()
            try:
                yield
            finally:
                _without_adapters(folder)
                sys.modules.update(kept)
    finally:  # after a failure too: other tests need the real ones
        registry.forget()


def _without_adapters(folder: Path) -> dict[str, object]:
    """Takes modules out of memory that were imported from folders of the same names."""
    names = tuple(f"adapters.{path.name}" for path in folder.iterdir() if path.is_dir())
    found = [name for name in sys.modules if name in names or name.startswith(tuple(f"{n}." for n in names))]
    return {name: sys.modules.pop(name) for name in found}
