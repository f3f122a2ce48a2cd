"""The pages that are made from the code say all of it: no name, key or variable is missing or without a meaning."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re

import pytest

import adapters.contract as contract
from adapters.contract.manifest import OPTIONAL_OPERATIONS, Auth, Pace, Route, ServerHalf
from adapters.contract.manifest_schema import manifest_schema
from docs.site.commands_page import commands_page, own_commands
from docs.site.contract_page import contract_page
from docs.site.manifest_page import keys_of, manifest_page
from docs.site.settings_page import settings_page
from docs.site.source_code import as_markdown
from tests.live_server import ROOT

CONTRACT = contract_page()
HEADINGS = re.findall(r"^#+ (.+)$", CONTRACT, re.MULTILINE)
SCHEMA = manifest_schema()
CLIENT = list(keys_of(SCHEMA["properties"]["client"], "client"))
ROWS = dict(re.findall(r"^\| `([^`]+)` \|(.*)\|$", manifest_page(), re.MULTILINE))


def _part_under(heading):
    """What stands under a heading of the contract's page, up to the next heading of any depth."""
    return re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", CONTRACT, re.DOTALL | re.MULTILINE)[1]


@pytest.mark.parametrize("name", contract.__all__)
def test_everything_that_the_contract_exports_is_on_its_page(name):
    found = getattr(contract, name)
    if inspect.isclass(found) and issubclass(found, Exception) and found is not contract.ManifestError:
        assert f"| `{name}` |" in CONTRACT
        return
    assert name in ("CrmAdapter", *HEADINGS)
    if dataclasses.is_dataclass(found):
        missing = [field.name for field in dataclasses.fields(found) if f"| `{field.name}` |" not in _part_under(name)]
        assert missing == []


@pytest.mark.parametrize("name", [name for name in vars(contract.CrmAdapter) if not name.startswith("_")])
def test_every_operation_stands_with_its_docstring_and_who_writes_it(name):
    method = getattr(contract.CrmAdapter, name)
    if not callable(method):
        assert f"| `{name}` |" in CONTRACT
        return
    part = _part_under(name)
    assert as_markdown(inspect.getdoc(method)) in part
    written = re.search(rf"^{name}(\(.*\))", part, re.MULTILINE)[1]
    assert [given for given in inspect.signature(method).parameters if given != "self" and given not in written] == []
    if name in contract.CrmAdapter.__abstractmethods__:
        assert "Required." in part
    assert ("Optional; offered by" in part) == (name in OPTIONAL_OPERATIONS)


def test_every_key_that_is_read_of_a_manifests_server_half_has_a_meaning():
    inner = {"server.": ServerHalf, "server.auth.": Auth, "server.pace.": Pace, "server.routes[].": Route}
    keys = {prefix + field.name for prefix, kind in inner.items() for field in dataclasses.fields(kind)}
    assert {key for key in ROWS if key.startswith("server.")} == keys
    assert [key for key in keys if not ROWS[key].rsplit("|", 1)[1].strip()] == []


def test_every_key_of_every_adapters_server_half_is_on_the_page():
    for path in ROOT.glob("adapters/*/manifest.json"):
        server = json.loads(path.read_text())["server"]
        assert {f"server.{key}" for key in server} <= ROWS.keys(), path


def test_every_variable_has_a_meaning_of_its_own():
    rows = re.findall(r"^\| `([A-Z_0-9]+)` \|.*\| (.*) \|$", settings_page(), re.MULTILINE)
    written = re.findall(r"^# ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert [name for name, _ in rows] == written
    assert [name for name, meaning in rows if not meaning.strip()] == []


def test_every_command_stands_with_what_can_be_given_to_it_and_what_that_is():
    page = commands_page()
    parts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    packages = [path.parent for path in ROOT.glob("*/__init__.py")]  # an environment in the checkout is none
    in_folders = {path.stem for folder in packages for path in folder.glob("**/management/commands/[a-z]*.py")}
    assert {name for name, _ in own_commands()} == in_folders == parts.keys()
    assert "| `--dry-run` | count only; change nothing |" in parts["clear_tokens"]
    assert "| `--format FORMAT` | default csv; one of csv, jsonl |" in parts["export_audit"]
    assert re.findall(r"^\| `[^`]+` \|  \|$", page, re.MULTILINE) == []


#: Names that are values, not keys: what an ``uiSchema`` holds, and contact types.
_FREE = re.compile(r"\.(uiSchema|accountDataPropertyByContactType)\.")


def _keys_in(value, name):
    """The whole names of all keys of a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{name}.{key}"
            yield from _keys_in(inner, f"{name}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _keys_in(inner, f"{name}[]")


def _described():
    """The whole names of all keys of the client half that the page describes, parts put where they stand."""
    for name, member, _ in CLIENT:
        yield name
        if part := member.get("items", {}).get("$ref", "").rpartition("/")[2]:
            yield from (key for key, _, _ in keys_of(SCHEMA["$defs"][part], f"{name}[]"))


@pytest.mark.parametrize(
    "path", [*ROOT.glob("adapters/*/manifest.json"), *ROOT.glob("adapters/management/*/manifest.json")], ids=str
)
def test_every_key_of_every_manifests_client_half_is_described(path):
    used = {key for key in _keys_in(json.loads(path.read_text())["client"], "client") if not _FREE.search(key)}
    assert used <= set(_described())


def test_every_described_key_is_on_the_page_with_a_meaning():
    keys = [name for name, _, _ in CLIENT]
    keys += [name for part in SCHEMA["$defs"].values() for name, _, _ in keys_of(part)]
    assert len(keys) > 100
    assert [key for key in keys if not ROWS[key].rsplit("|", 1)[1].strip()] == []


def test_whatever_the_manifest_check_asks_of_the_client_half_the_schema_asks_too():
    required = {name for name, _, is_required in CLIENT if is_required}
    for key in (
        "name",
        "displayName",
        "urlIdentifier",
        "embedUrls",
        "settings",
        "environment.type",
        "auth.type",
        "page",
    ):
        assert f"client.{key}" in required
    for form in ("callLog", "messageLog", "newContact"):
        assert f"client.page.{form}.additionalFields" in required
    assert {"client.auth.oauth.authUrl", "client.auth.oauth.clientId", "client.settings[].items"} <= required
