"""Reading a manifest: whatever is wrong with it is a sentence that names the place, and stops no other CRM."""

from __future__ import annotations

import copy
import json

import pytest

from adapters import registry
from adapters.checks import check_adapters
from adapters.contract import Manifest, ManifestError
from adapters.contract.manifest_checks import problems
from connectors.api.platform_document import platform_on_wire
from tests.further_adapters import only_adapters_in

WRONG = (None, 5, "x", ["x"], {"a": 5})


def _text_of(platform):
    return (registry.folder_of(platform) / "manifest.json").read_text(encoding="utf-8")


def _places(node, path=()):
    if path:
        yield path
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in members:
        yield from _places(value, (*path, key))


def _with(document, path, value):
    changed = copy.deepcopy(document)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(changed)


@pytest.mark.parametrize("platform", ["testCRM", "bullhorn"])
def test_a_member_of_the_wrong_type_anywhere_is_refused_or_served_and_never_raises(platform):
    document = json.loads(_text_of(platform))
    document["server"] = {"routes": [], "pace": {"in_flight": 4}, "read_timeout": 12, **document["server"]}
    for path in _places(document):
        for value in WRONG:
            try:
                manifest = Manifest.parse(_with(document, path, value))
            except ManifestError:
                continue
            assert all(isinstance(fault, str) for fault in problems(manifest)), path
            variables = registry.secrets_for(manifest)
            registry.hosts_for(manifest)
            manifest.oauth_app(secrets=variables)
            manifest.base_url(secrets=variables)
            json.dumps(platform_on_wire(manifest))


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("server", "base_url"), 5, "server.base_url must be a text"),
        (("server", "sandbox"), "yes", "server.sandbox must be true or false"),
        (("server", "hosts"), "x.example", "server.hosts must be a list of texts"),
        (("server", "settings"), {"A": 5}, "server.settings must be an object of texts"),
        (("server", "routes"), 5, "server.routes must be a list of objects"),
        (("server", "routes"), [{"path": "x", "methods": []}], "server.routes.0.methods must be an object of texts"),
        (("server", "pace"), {"in_flight": 1.5}, "server.pace.in_flight must be a whole number"),
        (("server", "read_timeout"), "10", "server.read_timeout must be a number"),
        (("server", "auth", "type"), ["oauth"], "server.auth.type must be a text"),
        (("server", "colour"), "red", "unknown key server.colour"),
        (("client", "name"), 5, "client.name must be a text"),
        (("client", "page"), [], "client.page must be an object"),
        (("client", "page", "callLog"), "x", "client.page.callLog must be an object"),
        (("client", "settings"), {}, "client.settings must be a list of objects"),
        (("client", "settings", 0, "items"), ["x"], "client.settings.0.items must be a list of objects"),
        (("client", "auth", "apiKey"), 5, "client.auth.apiKey must be an object"),
    ],
)  # fmt: skip
def test_the_sentence_names_the_place_and_what_belongs_there(path, value, sentence):
    with pytest.raises(ManifestError, match=f"^{sentence}"):
        Manifest.parse(_with(json.loads(_text_of("testCRM")), path, value))


def test_a_folder_whose_manifest_cannot_be_used_stops_no_other(tmp_path, client):
    sound = json.loads(_text_of("testCRM"))
    for name, change in (("fit", {}), ("unfit", {"page": "x"})):
        (tmp_path / name).mkdir()
        document = {**sound, "client": {**sound["client"], "name": name, **change}}
        (tmp_path / name / "manifest.json").write_text(json.dumps(document))
    with only_adapters_in(tmp_path):
        assert list(client.get("/crmManifest").json()["platforms"]) == ["fit"]
        assert any("unfit: manifest.json: client.page must be an object" in message.msg for message in check_adapters())
