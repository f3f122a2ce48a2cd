"""Everything that is installed is pinned and known by its hash."""

from __future__ import annotations

import re

import pytest

from tests.live_server import ROOT

REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^\]]+\])?==(?P<version>[^ ;\\]+)")


def _entries(name):
    """Logical lines: a requirement with its hashes."""
    text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "docs.txt"])
def test_every_requirement_is_pinned_and_has_its_hashes(name):
    entries = [entry for entry in _entries(name) if not entry.startswith("-")]
    assert len(entries) > 20
    for entry in entries:
        assert REQUIREMENT.match(entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:80]


def test_no_address_or_index_is_recorded():
    for name in ("base.txt", "dev.txt", "docs.txt"):
        assert not re.search(r"https?://|--index-url|--extra-index|--trusted-host| @ ", "\n".join(_entries(name)))


def test_tests_run_with_the_versions_that_are_served():
    pins = [{m["name"].lower(): m["version"] for e in _entries(n) if (m := REQUIREMENT.match(e))} for n in
            ("base.txt", "dev.txt", "docs.txt")]  # fmt: skip
    served, *others = pins
    for beside in others:
        assert {name: beside.get(name, version) for name, version in served.items()} == served
    tested, documenting = others  # both are installed into one environment
    assert {name: documenting.get(name, version) for name, version in tested.items()} == tested


def test_what_is_served_needs_nothing_of_the_documentation():
    assert "mkdocs" not in (ROOT / "requirements" / "base.txt").read_text()


def test_what_is_asked_for_directly_is_bounded():
    for line in (ROOT / "requirements" / "base.in").read_text().splitlines():
        name = line.split("#")[0].strip()
        assert not name or re.search(r"[~=<]", name) or name == "tzdata", f"{name} may change its major version"
