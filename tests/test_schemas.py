"""The JSON Schemas of manifests and definitions: they are up to date, referenced, and refuse what they should."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator

from adapters import registry
from adapters.contract import Manifest
from adapters.proxy import schema
from adapters.proxy.definition import Definition
from adapters.schemas import FOLDER, SCHEMAS, text_of

ROOT = registry.FOLDER.parent
ORCHARD = ROOT / "tests" / "definitions" / "orchard"
MANIFESTS = [*registry.FOLDER.glob("*/manifest.json"), ORCHARD / "manifest.json"]
DEFINITIONS = [*registry.FOLDER.glob("*/definition.json"), ORCHARD / "definition.json"]
SHIPPED = sorted(path for name in ("manifest", "definition") for path in registry.FOLDER.glob(f"*/{name}.json"))
GUIDE = (ROOT / "docs" / "declarative-adapters.md").read_text(encoding="utf-8")


def _faults(name, document):
    validator = Draft202012Validator(json.loads((FOLDER / f"{name}.schema.json").read_text()))
    return [error.json_path for error in validator.iter_errors(document)]


def _example(index):
    return json.loads(re.findall(r"^```json\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)[index])


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_up_to_date_and_one_itself(name):
    text = (FOLDER / name).read_text(encoding="utf-8")

    assert text == text_of(name), "bring it up to date with: manage.py adapter_schemas --write"
    Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_every_manifest_fits_the_schema(path):
    assert _faults("manifest", json.loads(path.read_text())) == []


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.parent.name)
def test_every_definition_fits_the_schema(path):
    assert _faults("definition", json.loads(path.read_text())) == []


def test_the_examples_of_the_guide_fit():
    assert _faults("manifest", _example(0)) == []
    assert [_faults("definition", _example(index)) for index in (1, 2, 3)] == [[], [], []]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_shipped_leads_editors_to_its_schema(path):
    way = json.loads(path.read_text())["$schema"]

    assert (path.parent / way).resolve() == FOLDER / path.name.replace(".json", ".schema.json")


def test_new_adapters_lead_editors_there_from_wherever_they_are(tmp_path):
    call_command("start_adapter", "acme", into=tmp_path, verbosity=0)
    call_command("import_definition", str(ROOT / "tests" / "connectors" / "sessions.json"), key="pears", into=tmp_path)

    for path in (*tmp_path.glob("*/manifest.json"), *tmp_path.glob("*/definition.json")):
        document = json.loads(path.read_text())
        assert (path.parent / document["$schema"]).resolve() == FOLDER / path.name.replace(".json", ".schema.json")
        assert _faults(path.stem, document) == []


def test_the_command_prints_one_schema(capsys):
    call_command("adapter_schemas", "definition")

    assert capsys.readouterr().out == text_of("definition.schema.json")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"operations": {}}, "$.operations"),
        ({"metta": {}}, "$"),
        ({"meta": {"logFormat": "html"}}, "$.meta.logFormat"),
        ({"auth": {"clientSecret": "x"}}, "$.auth"),
        ({"auth": {"credentialTemplate": "a-key-in-the-open"}}, "$.auth.credentialTemplate"),
        ({"requestDefaults": {"baseUrl": "https://x.example"}}, "$.requestDefaults"),
        ({"operations.findContct": {"url": "/x"}}, "$.operations"),
        ({"operations.createCallLog.method": "GET"}, "$.operations.createCallLog.method"),
        ({"operations.createCallLog.url": "/x?a=1"}, "$.operations.createCallLog.url"),
        ({"operations.createCallLog.body": {"$if": "{{note}}"}}, "$.operations.createCallLog.body"),
        (
            {"operations.createCallLog.body": {"x": {"$number": "{{note}}", "times": 2}}},
            "$.operations.createCallLog.body",
        ),
        ({"operations.findContact.pagination": {"type": "pages"}}, "$.operations.findContact.pagination.type"),
        ({"operations.getCallLog.pagination": {"type": "link"}}, "$.operations.getCallLog"),
        (
            {"operations.getCallLog.responseMapping": {"durationUnit": "hours"}},
            "$.operations.getCallLog.responseMapping.durationUnit",
        ),
        (
            {"operations.findContact.responseMapping.item": {"namPath": "x"}},
            "$.operations.findContact.responseMapping.item",
        ),
    ],
)
def test_a_mistake_in_a_definition_is_underlined(change, place):
    document = copy.deepcopy(_example(1))
    assert _faults("definition", document) == []
    _put(document, change)

    assert place in _faults("definition", document)
    with pytest.raises(ValueError, match=r"\S"):  # and the server refuses it as well
        Definition.read(document)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"extra": {}}, "$"),
        ({"server.timeout": 5}, "$.server"),
        ({"server.auth": {"type": "key"}}, "$.server.auth.type"),
        ({"server.auth": {}}, "$.server.auth"),
        ({"server.capabilities": ["find_everything"]}, "$.server.capabilities[0]"),
        ({"server.exempt": {"nothing.x": "reason"}}, "$.server.exempt"),
        ({"server.secrets": ["lower"]}, "$.server.secrets[0]"),
        ({"server.pace": {"starts": "many"}}, "$.server.pace.starts"),
        ({"client.auth": {"type": "password"}}, "$.client.auth.type"),
        ({"client.environment": {"type": "any"}}, "$.client.environment.type"),
        ({"client.contactTypes": []}, "$.client.contactTypes"),
        ({"client.page": {"callLog": {}}}, "$.client.page"),
        ({"client.embedUrls": "https://x"}, "$.client.embedUrls"),
    ],
)
def test_a_mistake_in_a_manifest_is_underlined(change, place):
    document = copy.deepcopy(_example(0))
    assert _faults("manifest", document) == []
    _put(document, change)

    assert place in _faults("manifest", document)


def _put(document, change):
    for path, value in change.items():
        *way, last = path.split(".")
        target = document
        for name in way:
            target = target[name]
        target[last] = value


def test_the_way_to_a_schema_is_no_key_of_the_document():
    assert Definition.read({"$schema": "x", **_example(1)}).operations
    assert Manifest.parse(json.dumps({"$schema": "x", **_example(0)})).name == "orchard"


def test_every_operation_and_key_that_is_read_is_in_the_schema():
    found = json.loads((FOLDER / "definition.schema.json").read_text())["properties"]["operations"]["properties"]

    assert set(found) == set(schema.VARIABLES)
    for name, kinds in schema.MAPPINGS.items():
        assert set(found[name]["properties"]["responseMapping"]["properties"]) == set(kinds)
    assert all(operation["description"] for operation in found.values())


def test_the_guides_name_the_schemas():
    for page in (GUIDE, (registry.FOLDER / "README.md").read_text(encoding="utf-8")):
        assert "definition.schema.json" in page or "adapters/schemas" in page
    assert Path(FOLDER / "manifest.schema.json").is_file()
