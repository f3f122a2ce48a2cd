"""An adapter of a test's own, sound until the test breaks it."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from adapters import registry
from tests.exchanges import Case
from tests.further_adapters import only_adapters_in


@pytest.fixture
def acme(tmp_path):
    """The sound adapter of a new folder, to be broken by a test."""
    call_command("start_adapter", "acme", into=tmp_path, verbosity=0)
    with only_adapters_in(tmp_path):
        yield tmp_path / "acme"


@pytest.fixture
def broken(acme, monkeypatch):
    """Puts methods in place of the adapter's own: ``broken(revoke=...)``; returns the class it was."""

    def put(**methods):
        sound = registry.adapter_class("acme")
        monkeypatch.setattr(registry, "adapter_class", lambda platform: type("Adapter", (sound,), methods))
        return sound

    return put


def case_of(folder, name):
    """A case of the adapter in ``folder``, and its document."""
    case = Case("acme", folder / "fixtures" / f"{name}.json")
    return case, case.load()


def exchange(method, path, answer, at="https://api.acme.example/v1"):
    """One exchange for a fixture, answered by 200 with JSON."""
    request = {"method": method, "url": f"{at}/{path}"}
    return {"request": request, "response": {"status": 200, "json": answer}}


def write_case(folder, name, **document):
    (folder / "fixtures" / f"{name}.json").write_text(json.dumps(document))
