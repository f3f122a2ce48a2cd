"""The system checks of adapters: each id has a cause, and nothing else sets it off."""

from __future__ import annotations

import json

import pytest
from django.core.checks import run_checks
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import BaseCommand, SystemCheckError

from adapters import registry
from adapters.checks import check_adapters, check_configuration
from tests.further_adapters import only_adapters_in


@pytest.fixture
def acme(tmp_path):
    """A sound adapter in a folder that the registry does not know yet."""
    call_command("start_adapter", "acme", into=tmp_path)
    return tmp_path / "acme"


def _found_in(folder, check):
    with only_adapters_in(folder.parent):
        return [(message.id, message.msg) for message in check() if folder.name in message.msg.lower()]


def _change(folder, half="server", **members):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest[half].update(members)
    path.write_text(json.dumps(manifest))


def test_a_sound_adapter_gives_no_message(acme):
    assert _found_in(acme, check_adapters) == []
    assert _found_in(acme, check_configuration) == []


def test_the_adapters_that_are_here_are_sound():
    assert check_adapters() == []


def test_a_manifest_that_cannot_be_read_is_e001(acme):
    (acme / "manifest.json").write_text("{")

    ((identity, text),) = _found_in(acme, check_adapters)

    assert identity == "adapters.E001"
    assert "acme: manifest.json: not JSON" in text


@pytest.mark.parametrize(
    ("half", "change", "fault"),
    [
        ("server", {"settings": ["ACME_URL"]}, "server.settings must be an object of texts"),
        ("server", {"settings": {"ACME_PORT": 8080}}, "server.settings must be an object of texts"),
        ("server", {"read_timeout": "20"}, "server.read_timeout must be a number"),
        ("server", {"read_timeout": True}, "server.read_timeout must be a number"),
        ("server", {"pace": {"in_flight": "3"}}, "server.pace.in_flight must be a whole number"),
        ("server", {"base_url": ["https://api.acme.example"]}, "server.base_url must be a text"),
        ("server", {"host_in_identity": "yes"}, "server.host_in_identity must be true or false"),
        ("server", {"routes": "x"}, "server.routes must be a list of objects"),
        ("client", {"environment": "fixed"}, "client.environment must be an object"),
        ("client", {"auth": {"type": "apiKey", "apiKey": []}}, "client.auth.apiKey must be an object"),
        ("client", {"settings": {"id": "x"}}, "client.settings must be a list of objects"),
        ("client", {"settings": [{"id": "x", "items": ["y"]}]}, "client.settings.0.items must be a list of objects"),
        ("client", {"page": {"callLog": []}}, "client.page.callLog must be an object"),
        (
            "client",
            {"page": {"callLog": {"additionalFields": ["deals"]}}},
            "client.page.callLog.additionalFields must be a list of objects",
        ),
    ],
)
def test_a_manifest_of_another_shape_is_e001_and_stops_no_other_check(acme, half, change, fault):
    _change(acme, half, **change)

    assert _found_in(acme, check_adapters) == [("adapters.E001", f"acme: manifest.json: {fault}")]
    assert _found_in(acme, check_configuration) == []


def test_an_adapter_that_cannot_be_imported_is_e002(acme):
    (acme / "adapter.py").write_text("import no_such_module")

    ((identity, text),) = _found_in(acme, check_adapters)

    assert identity == "adapters.E002"
    assert "no_such_module" in text


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"capabilities": ["list_users"]}, "names list_users, which the adapter does not offer"),
        ({"hosts": []}, "server.hosts must not be empty"),
        ({"hosts": ["${ACME_URL}"]}, "the variable ACME_URL is used, but neither in server.secrets nor"),
        ({"exempt": {"coverage.revoke__success": ""}}, "server.exempt.coverage.revoke__success needs a reason"),
        ({"exempt": {"luck": "it never fails"}}, "server.exempt.luck is no rule"),
        ({"exempt": {"coverage": "no time"}}, "server.exempt.coverage is no rule"),
    ],
)
def test_a_broken_rule_is_e003(acme, change, fault):
    _change(acme, **change)

    found = _found_in(acme, check_adapters)

    assert [identity for identity, text in found] == ["adapters.E003"]
    assert fault in found[0][1]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "    def revoke(self)",
            "    lacking = frozenset({'list_users'})\n\n    def revoke(self)",
            "lacking names list_users, which is no required operation",
        ),
        ("class Adapter(CrmAdapter)", "class Adapter", "Adapter must be a subclass of CrmAdapter"),
        ("    def revoke(self) -> None:", "    def leave(self) -> None:", "the adapter lacks revoke"),
        ("def find_contacts(self, phone:", "def find_contacts(self, number:", "find_contacts must take the parameters"),
        (
            "    def revoke(self)",
            "    def __init__(self):\n        pass\n\n    def revoke(self)",
            "the adapter must keep the constructor",
        ),
    ],
)
def test_a_class_that_shared_code_cannot_use_is_e003(acme, old, new, fault):
    path = acme / "adapter.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    found = _found_in(acme, check_adapters)

    assert [identity for identity, text in found] == ["adapters.E003"]
    assert fault in found[0][1]


def test_a_missing_secret_is_w001_and_named(acme, settings):
    settings.ADAPTER_VARIABLES = {"ACME_KEY": "a-key"}
    _change(acme, secrets=["ACME_KEY", "ACME_SECRET"])

    assert _found_in(acme, check_configuration) == [
        ("adapters.W001", "acme (acme) is not configured: ACME_SECRET missing.")
    ]


def test_a_variable_that_holds_no_url_is_w004(acme, settings):
    settings.ADAPTER_VARIABLES = {"ACME_URL": "api.acme.example"}
    _change(acme, settings={"ACME_URL": "https://api.acme.example"}, hosts=["${ACME_URL}"])

    assert _found_in(acme, check_configuration) == [
        ("adapters.W004", "acme (acme) cannot be reached: ACME_URL holds no URL.")
    ]


@pytest.mark.parametrize(("enabled", "expected"), [(["nocrm", "testCRM"], ["W002"]), (["nocrm"], ["W002", "W003"])])
def test_an_unknown_platform_is_w002_and_none_at_all_w003(settings, enabled, expected):
    settings.ENABLED_ADAPTERS = enabled
    found = [message.id for message in check_configuration()]

    assert found == [f"adapters.{identity}" for identity in expected]


def test_the_checks_are_among_those_django_runs():
    expected = {registry.manifests()[name].display_name for name in registry.manifests()} - {"Test CRM"}

    found = {message.msg.split(" (")[0] for message in run_checks(tags=["adapters"]) if message.id == "adapters.W001"}

    assert found <= expected
    assert found == {
        manifest.display_name for manifest in registry.manifests().values() if registry.missing_secrets(manifest)
    }


@pytest.fixture
def installation(settings, tmp_path):
    """A folder of its own: the one we run in may hold the password of somebody's administrator."""
    settings.BASE_DIR, settings.VAR_DIR = tmp_path, tmp_path / "var"
    settings.VAR_DIR.mkdir()
    return tmp_path


@pytest.mark.django_db
@pytest.mark.usefixtures("installation")
def test_preparing_an_installation_says_what_the_checks_say(capsys, acme, settings):
    settings.ADAPTER_VARIABLES = {}
    _change(acme, secrets=["ACME_KEY"])
    with only_adapters_in(acme.parent):
        call_command("prepare")

    assert "acme (acme) is not configured: ACME_KEY missing." in capsys.readouterr().out


@pytest.mark.parametrize("command", ["deliver", "clear_tokens"])
def test_a_broken_adapter_does_not_stop_the_work_for_the_others(acme, command):
    (acme / "adapter.py").write_text("import no_such_module")
    work = load_command_class(get_commands()[command], command)
    with only_adapters_in(acme.parent):
        assert work.requires_system_checks == []
        with pytest.raises(SystemCheckError, match="no_such_module"):
            BaseCommand().check()
