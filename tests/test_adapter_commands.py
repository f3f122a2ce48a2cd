"""The adapter commands and the manifest checks behind them."""

from __future__ import annotations

import copy
import dataclasses

import pytest
from django.core.management import CommandError, call_command

from adapters import registry
from adapters.contract.manifest_checks import problems


@pytest.mark.parametrize("platform", list(registry.manifests()))
def test_no_adapter_has_a_problem(platform):
    adapter = registry.adapter_class(platform)

    assert problems(registry.manifests()[platform], folder=registry.folder_of(platform), adapter=adapter) == []


def test_checking_adapters_says_how_many_are_in_order(capsys):
    call_command("check_adapters")

    assert f"{len(registry.manifests())} adapters, no problems." in capsys.readouterr().out


def test_a_broken_manifest_makes_the_check_fail(monkeypatch, capsys):
    monkeypatch.setattr(registry, "broken", lambda: {"somecrm": "not JSON"})

    with pytest.raises(CommandError, match="1 problem"):
        call_command("check_adapters")

    assert "somecrm: not JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("urlIdentifier",), None, "client.urlIdentifier must be a text"),
        (("page",), None, "client.page is missing"),
        (("contactTypes",), [], "client.contactTypes must not be empty"),
        (("embedUrls",), None, "client.embedUrls must be a list"),
        (("settings",), [{"id": "a"}], "needs items"),
        (("settings",), [{"id": "a", "items": [{"id": "b", "type": "option"}]}], "needs options"),
        (("page", "newContact"), {}, "client.page.newContact.additionalFields must be a list"),
    ],
)
def test_a_fault_that_breaks_the_extension_is_named(path, value, fault):
    manifest = next(iter(registry.manifests().values()))
    client = copy.deepcopy(dict(manifest.client))
    place = client
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    assert any(fault in found for found in problems(dataclasses.replace(manifest, client=client)))


def test_a_capability_without_a_method_is_named():
    platform, manifest = next(iter(registry.manifests().items()))
    server = dataclasses.replace(manifest.server, capabilities=())

    found = problems(dataclasses.replace(manifest, server=server), adapter=registry.adapter_class(platform))

    assert len(found) == len(manifest.server.capabilities) > 0
