"""The tutorial for adapter authors, followed word by word in a copy of the project."""

from __future__ import annotations

import pytest

from tests.live_server import ROOT
from tests.tutorial import copy_of_the_project, follow

PAGE = (ROOT / "docs" / "writing-an-adapter.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whoever_follows_the_tutorial_has_an_adapter_that_passes_the_kit(tmp_path):
    faults = list(follow(PAGE, copy_of_the_project(tmp_path)))

    assert not faults, "\n\n".join(faults)


@pytest.mark.parametrize(
    ("page", "faults"),
    [
        ("```sh\necho one; echo two\n```\n\n```text\none\ntwo\n```\n", []),
        ("```sh\necho one\n```\n\n```text\ntwo\n```\n", ["line 1: 'two' is not printed"]),
        ("```sh\necho two; echo one\n```\n\n```text\none\ntwo\n```\n", ["line 1: 'two' is not printed"]),
        ("```sh\nfalse\n```\n", ["line 1: exit status 1"]),
        ("```sh\nfalse; true\n```\n", ["line 1: exit status 1"]),
        ("```sh\necho 1 failed; false\n```\n\n```text\nfailed\n```\n", []),
        ("```sh\necho 1 failed\n```\n\n```text\nfailed\n```\n", ["line 1: exit status 0"]),
        ("Text.\n\n```python\nx = 1\n```\n", ["line 3: nothing says what to do with this block"]),
        ("`a/b.txt`:\n\n```json\n1\n```\n\nRead it:\n\n```sh\ncat a/b.txt\n```\n\n```text\n1\n```\n", []),
    ],
)
def test_what_does_not_go_as_a_page_says_is_told(tmp_path, page, faults):
    assert [fault.split("\n")[0] for fault in follow(page, tmp_path)] == faults


def test_a_page_changes_functions_imports_and_texts(tmp_path):
    (tmp_path / "a.py").write_text("from b import c\n\n\n@d\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n")
    (tmp_path / "a.json").write_text('{\n  "x": []\n}\n')
    page = (
        "In `a.py`, in place of the import from `b`:\n\n```python\nfrom b import e\n```\n"
        "In `a.py`, in\nplace of `one`:\n\n```python\ndef one():\n    return 3\n```\n"
        "In `a.py`, before `two`:\n\n```python\ndef between(): ...\n```\n"
        'In `a.json`, in place of `"x": []`:\n\n```json\n  "x": [1]\n```\n'
    )
    assert list(follow(page, tmp_path)) == []
    text = "from b import e\n\n\ndef one():\n    return 3\n\n\ndef between(): ...\n\ndef two():\n    return 2\n"
    assert (tmp_path / "a.py").read_text() == text
    assert (tmp_path / "a.json").read_text() == '{\n  "x": [1]\n}\n'


def test_a_page_that_changes_what_is_not_there_is_told(tmp_path):
    (tmp_path / "a.py").write_text("def one(): ...\n")
    with pytest.raises(AssertionError, match="'two' stands 0 times"):
        list(follow("In `a.py`, in place of `two`:\n\n```python\npass\n```\n", tmp_path))
