"""The adapter commands and the manifest checks behind them."""

from __future__ import annotations

import copy
import dataclasses

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from adapters import registry
from adapters.capabilities import as_markdown, replace_in_readme, table_in_readme
from adapters.contract.manifest_checks import problems
from tests.conformance import coverage_faults, failure_faults, golden_faults, runs_with_failures
from tests.exchanges import cases_of, run
from tests.further_adapters import only_adapters_in


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


def test_a_new_adapter_passes_check_and_kit_at_once(tmp_path, capsys):
    call_command("start_adapter", "acmeCRM", into=tmp_path)
    assert f"{tmp_path / 'acmecrm'} is ready." in capsys.readouterr().out

    with only_adapters_in(tmp_path):
        call_command("check_adapters")
        faults = coverage_faults("acmeCRM")
        for case in cases_of("acmeCRM"):
            document = case.load()
            recorded = run(case, document)
            faults += golden_faults(document, recorded)
            for failure, outcome in runs_with_failures(case, document):
                faults += failure_faults(case, failure, outcome, recorded)

    assert faults == []
    assert "no problems." in capsys.readouterr().out


def test_nothing_of_the_scaffold_is_left_in_a_new_adapter(tmp_path):
    call_command("start_adapter", "acmeCRM", into=tmp_path)

    texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]

    assert len(texts) > 12
    assert not any("scaffold" in text.lower() for text in texts)
    assert "api.acmecrm.example" in "".join(texts)


def test_the_names_of_the_template_stand_for_nothing_else():
    """They are replaced as texts: a word that the contract or an adapter uses as well would be replaced with them."""
    names = {manifest.name.lower() for manifest in registry.shipped().values()}
    sources = [*registry.FOLDER.glob("contract/*.py"), *registry.FOLDER.glob("*/manifest.json")]

    assert "scaffoldcrm" not in names
    assert not [path for path in sources if "scaffoldcrm" in path.read_text().lower()]


def test_what_is_left_to_do_is_told_step_by_step_and_exists(tmp_path, capsys):
    call_command("start_adapter", "acmeCRM", into=tmp_path)
    told = capsys.readouterr().out

    for step in (
        *("manifest.json", ".env.example", "--record", "fixtures", "adapter.py", "list_adapters --write"),
        *("pytest tests/test_conformance.py -k acmecrm", "tests/fakes/acmecrm.py", "docs/acmecrm.md", "CHANGELOG.md"),
    ):
        assert step in told
    for path in (
        "tests/session_script.py",
        "tests/fakes/vendor.py",
        "mkdocs.yml",
        "docs/connecting.md",
        "adapters/README.md",
    ):
        assert path in told
        assert (registry.FOLDER.parent / path).is_file()
    readme = (registry.FOLDER / "README.md").read_text()
    for named in (
        ".env.example",
        "tests/fakes",
        "tests/session_script.py",
        "docs/<name>.md",
        "--record",
        "CHANGELOG.md",
    ):
        assert named in readme, f"the README does not name {named}"
    assert "pytest tests/test_conformance.py -k <name>" in readme


@pytest.mark.parametrize(
    ("name", "fault"),
    [("acme crm", "letters and digits"), ("../acme", "letters"), ("CLIO", "an adapter for CLIO")],
)
def test_a_name_that_cannot_be_one_makes_no_folder(tmp_path, name, fault):
    with pytest.raises(CommandError, match=fault):
        call_command("start_adapter", name, into=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_touched(tmp_path):
    (tmp_path / "acme").mkdir()

    with pytest.raises(CommandError, match="exists already"):
        call_command("start_adapter", "acme", into=tmp_path)

    assert list((tmp_path / "acme").iterdir()) == []


def test_the_table_in_the_readme_is_the_one_the_command_prints(capsys):
    call_command("list_adapters", markdown=True)
    printed = capsys.readouterr().out.strip()

    assert printed == as_markdown(registry.shipped().values())
    assert table_in_readme() == printed, "bring it up to date with: manage.py list_adapters --write"


@pytest.mark.parametrize("switched_off", [{"SANDBOX": False}, {"ENABLED_ADAPTERS": ["clio"]}])
def test_the_table_has_every_adapter_whatever_is_switched_on(capsys, switched_off):
    complete = as_markdown(registry.manifests().values())
    with override_settings(**switched_off):
        call_command("list_adapters", markdown=True)

    assert capsys.readouterr().out.strip() == complete


def test_a_table_is_put_between_the_markers_and_nowhere_else(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before <!-- begin: list_adapters --markdown -->\nold\n<!-- end -->\nafter\n")

    replace_in_readme("| new |", page)

    assert page.read_text() == "before <!-- begin: list_adapters --markdown -->\n| new |\n<!-- end -->\nafter\n"
    page.write_text("no markers")
    with pytest.raises(ValueError, match="lacks the markers"):
        replace_in_readme("| new |", page)


def test_the_list_tells_login_operations_and_missing_secrets(capsys, settings):
    settings.ADAPTER_VARIABLES = {"CLIO_CLIENT_ID": "an-id", "PIPEDRIVE_CLIENT_ID": "a", "PIPEDRIVE_CLIENT_SECRET": "b"}

    call_command("list_adapters")

    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "missing: CLIO_CLIENT_SECRET" in lines["clio"]
    assert "an-id" not in lines["clio"]
    assert " set " in lines["pipedrive"]
    assert "OAuth" in lines["clio"]
    assert "API key" in lines["testCRM"]
    assert "find_contacts_by_name" in lines["testCRM"]
