"""`make run` on machines whose Python does not fit, or that reach no package index."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from config import install
from tests import matrix
from tests.live_server import ROOT


def _fake_python(folder, name, version):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return str(path)


def _install(folder, **environment):
    return subprocess.run(
        [sys.executable, "config/install.py", str(folder), "base"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=280,
    )  # fmt: skip


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.14", "4.1"])
def test_a_python_that_does_not_fit_is_told_before_anything_is_made(tmp_path, version):
    _fake_python(tmp_path, "python3", version)
    done = _install(tmp_path / "new", PATH=str(tmp_path))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"Switchboard needs Python 3.11 to 3.13; python3 is Python {version}, and the PATH has no oth"
    )
    assert line.endswith("make run PYTHON=python3.13")
    assert not (tmp_path / "new").exists()


def test_a_named_python_that_does_not_fit_is_told(tmp_path):
    _fake_python(tmp_path, "python3", "3.12")
    for named, what in [(_fake_python(tmp_path, "old", "3.9"), "Python 3.9"), ("/nowhere", "no Python that runs here")]:
        done = _install(tmp_path / "new", PATH=str(tmp_path), PYTHON=named)
        assert (done.returncode, done.stderr) == (
            1, f"PYTHON={named} is {what}; Switchboard needs Python 3.11 to 3.13: make run PYTHON=python3.11\n",
        )  # fmt: skip


def test_another_python_on_the_path_serves_where_the_usual_one_does_not_fit(tmp_path, monkeypatch):
    _fake_python(tmp_path, "python3", "3.9")
    _fake_python(tmp_path, "python3.12", "3.12")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.chosen_python("") == "python3.12"


def test_an_environment_of_a_wrong_version_is_replaced_and_a_missing_network_is_told(tmp_path):
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    configuration = folder / "pyvenv.cfg"
    mine = install.version_made_with(str(folder))
    assert mine == sys.version_info[:2]
    configuration.write_text(configuration.read_text().replace(f"version = {mine[0]}.{mine[1]}.", "version = 3.10."))
    (folder / "base").write_text("what was installed there")
    done = _install(folder, PATH=os.environ["PATH"], PYTHON=sys.executable, PIP_INDEX_URL="http://127.0.0.1:1/simple")
    assert f"Replacing {folder}: it was made with Python 3.10, and Python {mine[0]}.{mine[1]} is in it." in done.stdout
    assert (done.returncode, done.stderr) == (
        1,
        "The packages cannot be fetched: no connection to the package index. Check the network and HTTPS_PROXY, or "
        "name an index of your own in PIP_INDEX_URL; then run make again.\n",
    )
    assert install.version_made_with(str(folder)) == mine
    assert not (folder / "base").exists()


def test_what_is_installed_already_is_left_alone(tmp_path):
    (tmp_path / "base").write_text(install.hashlib.sha256((ROOT / "requirements/base.txt").read_bytes()).hexdigest())
    install.install(str(tmp_path), "/no/python/is/needed", "base")


def test_make_alone_prints_the_targets():
    # Within another make, which runs the suite, it would tell the folder that it enters too.
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(["make"], cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    listed = [line.split()[1] for line in done.stdout.splitlines()]
    assert listed[:3] == ["help", "run", "dev"]
    assert all(line.startswith("  make ") and len(line.split()) > 3 for line in done.stdout.splitlines())


def test_the_short_run_of_the_matrix_names_files_that_are_there():
    assert [name for name in matrix.SHORT if not (ROOT / name).exists()] == []
