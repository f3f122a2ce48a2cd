"""Follows a page of the documentation word by word: writes the files it shows, makes the changes, runs the commands."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.live_server import ROOT

_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"(?:^|\s)`(?P<file>[\w./-]+)`:$")
_CHANGE = re.compile(
    r"In\s`(?P<file>[^`]+)`,\s(?P<how>in\splace\sof|before)(?:\sthe\simport\sfrom)?\s`(?P<what>[^`]+)`:$"
)
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", "var", ".*_cache", ".hypothesis", "node_modules")
#: The order of the tests is not a reader's concern, and what puts them in order takes a quarter of a run's start.
_AS_IT_STANDS = {"PYTEST_ADDOPTS": "-p no:randomly"}


@dataclass(frozen=True)
class Block:
    """A fenced block, with the paragraph before it and its line in the page."""

    language: str
    code: str
    said: str
    line: int


def blocks_of(page: str) -> Iterator[Block]:
    end = 0
    for fence in _FENCE.finditer(page):
        said = page[end : fence.start()].strip().rsplit("\n\n", 1)[-1]
        yield Block(fence["language"], fence["code"], said, page.count("\n", 0, fence.start()) + 1)
        end = fence.end()


def copy_of_the_project(folder: Path) -> Path:
    """A clone as a reader has it, with the environment that runs this."""
    project = folder / "project"
    shutil.copytree(ROOT, project, ignore=_NOT_COPIED, symlinks=True)
    (project / ".venv").symlink_to(sys.prefix)
    return project


def follow(page: str, project: Path) -> Iterator[str]:
    """Does what each block says; a sentence for each that did not go as the page says.

    ``sh`` is a list of commands, unless a file is named; the ``text`` behind it is what they print, in this order and
    among other lines. They have to fail where that says "failed".
    """
    blocks = list(blocks_of(page))
    for number, block in enumerate(blocks):
        change, file = _CHANGE.search(block.said), _FILE.search(block.said)
        if block.language == "text":
            continue
        if change:
            _change(project / change["file"], " ".join(change["how"].split()), change["what"], block.code)
        elif file:
            (project / file["file"]).parent.mkdir(parents=True, exist_ok=True)
            (project / file["file"]).write_text(block.code)
        elif block.language == "sh":
            after = blocks[number + 1] if number + 1 < len(blocks) else None
            yield from _run(block, after.code if after and after.language == "text" else "", project)
        else:
            yield f"line {block.line}: nothing says what to do with this block"


def _run(block: Block, expected: str, project: Path) -> Iterator[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment |= _AS_IT_STANDS
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if (done.returncode != 0) != ("failed" in expected):
        yield f"line {block.line}: exit status {done.returncode}\n{done.stdout[-3000:]}"
    place = 0
    for line in expected.splitlines():
        place = done.stdout.find(line.strip(), place)
        if place < 0:
            yield f"line {block.line}: {line!r} is not printed\n{done.stdout[-3000:]}"
            return


def _change(path: Path, how: str, what: str, code: str) -> None:
    """Replaces a function, an import or a text that stands once, or puts the code before a function."""
    text = path.read_text()
    start, end = _place(text, what) if path.suffix == ".py" else _place_of_text(text, what)
    if how == "before":
        end, code = start, f"{code}\n"
    path.write_text(text[:start] + code + text[end:])


def _place_of_text(text: str, what: str) -> tuple[int, int]:
    """Whole lines."""
    if text.count(what) != 1:
        raise AssertionError(f"{what!r} stands {text.count(what)} times")
    start = text.rfind("\n", 0, text.index(what)) + 1
    return start, text.index("\n", text.index(what)) + 1


def _place(text: str, what: str) -> tuple[int, int]:
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.FunctionDef) and node.name == what)
        or (isinstance(node, ast.ImportFrom) and node.module == what)
    ]
    if len(found) != 1:
        raise AssertionError(f"{what!r} stands {len(found)} times")
    lines = text.splitlines(keepends=True)
    first = min([found[0].lineno, *(item.lineno for item in getattr(found[0], "decorator_list", ()))])
    return len("".join(lines[: first - 1])), len("".join(lines[: found[0].end_lineno]))
