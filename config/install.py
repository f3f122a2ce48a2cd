"""Makes the environment that `make` runs everything in, with a Python that fits, and installs the requirements there.

Runs before anything is installed, under any Python from 3.6: ``python3 config/install.py .venv base`` (or ``dev``, or
``docs``). PYTHON in the environment names the Python to use; without it any one on the PATH that fits will do. Does
nothing where all is there already.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

OLDEST, NEWEST = (3, 11), (3, 13)
RANGE = f"Python 3.{OLDEST[1]} to 3.{NEWEST[1]}"
SETS = {"base": ["base"], "dev": ["base", "dev"], "docs": ["base", "dev", "docs"]}
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "requirements")
_NO_NETWORK = re.compile(r"NewConnectionError|ConnectTimeout|[Cc]onnection refused|ProxyError|resol|unreachable")


def version_of(python: str) -> "tuple[int, int] | None":
    """Such as (3, 11); None where it does not run."""
    command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return _version_in(done.stdout.decode(errors="replace"))


def version_made_with(folder: str) -> "tuple[int, int] | None":
    """The Python an environment was made with: after an upgrade of the system another one may run in it."""
    return _version_in(_read(os.path.join(folder, "pyvenv.cfg")))


def _version_in(text: str) -> "tuple[int, int] | None":
    found = re.search(r"^(?:version(?:_info)? *= *)?(\d+)\.(\d+)", text, re.MULTILINE)
    return (int(found.group(1)), int(found.group(2))) if found else None


def fits(version: "tuple[int, int] | None") -> bool:
    return version is not None and OLDEST <= version <= NEWEST


def _name(version: "tuple[int, int] | None") -> str:
    return f"Python {version[0]}.{version[1]}" if version else "no Python that runs here"


def chosen_python(named: str) -> str:
    """The Python to make an environment with. Ends the process where there is none."""
    others = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    for name in [named] if named else ["python3", *others]:
        if fits(version_of(name)):
            return name
    if named:
        sys.exit(f"PYTHON={named} is {_name(version_of(named))}; Switchboard needs {RANGE}: make run PYTHON=python3.11")
    sys.exit(
        f"Switchboard needs {RANGE}; python3 is {_name(version_of('python3'))}, and the PATH has no other. Install one "
        "(Debian, Ubuntu: apt-get install python3.13 python3.13-venv, or what your release has) and name it: "
        "make run PYTHON=python3.13"
    )


def make_environment(folder: str, named: str) -> str:
    """Its Python; made anew where that does not fit, does not run any more, or is not the one that is named."""
    inside = os.path.join(folder, "bin", "python")
    there = os.path.exists(os.path.join(folder, "pyvenv.cfg"))
    present, made_with = (version_of(inside), version_made_with(folder)) if there else (None, None)
    if fits(present) and present == made_with and (not named or version_of(named) == present):
        return inside
    python = chosen_python(named)
    if there:
        print(f"Replacing {folder}: it was made with {_name(made_with)}, and {_name(present)} is in it.", flush=True)
    command = [python, "-m", "venv", "--clear", folder]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == 0:
        return inside
    shutil.rmtree(folder, ignore_errors=True)
    version = _name(version_of(python))
    if b"ensurepip" in done.stdout:
        package = version.lower().replace(" ", "")
        sys.exit(f"{version} cannot make environments here; this adds what it lacks: apt-get install {package}-venv")
    sys.exit(f"{done.stdout.decode(errors='replace').strip()}\n{folder} cannot be made with {version}; see above.")


def install(folder: str, python: str, name: str) -> None:
    """Installs one file of requirements, unless exactly that has been installed before."""
    requirements = os.path.join(_FOLDER, f"{name}.txt")
    wanted = hashlib.sha256(_read(requirements).encode()).hexdigest()
    marker = os.path.join(folder, name)
    if _read(marker) == wanted:
        return
    if os.path.exists(marker):
        os.remove(marker)  # from here on there is neither the old nor the new
    print(f"Installing requirements/{name}.txt into {folder} ...", flush=True)
    if not _installed_by_uv(python, requirements):
        _install_by_pip(python, requirements, name)
    with open(marker, "w") as file:
        file.write(wanted)


def _installed_by_uv(python: str, requirements: str) -> bool:
    """In a tenth of pip's time, where uv is: in that environment, or in the one that runs this."""
    found = [os.path.join(os.path.dirname(place), "uv") for place in (python, sys.executable)]
    uv = next((path for path in found if os.path.exists(path)), "")
    if not uv:
        return False
    command = [uv, "pip", "install", "--quiet", "--python", python, "--compile-bytecode"]
    command += ["--require-hashes", "-r", requirements]
    if os.environ.get("PIP_INDEX_URL"):
        command += ["--index-url", os.environ["PIP_INDEX_URL"]]
    once = {**os.environ, "UV_HTTP_RETRIES": "0"}  # pip tries again
    return subprocess.run(command, env=once, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _install_uv(python: str) -> None:
    """By itself and before everything else, as requirements/dev.txt pins it."""
    pinned = re.search(r"^uv==.*?(?=^\S|\Z)", _read(os.path.join(_FOLDER, "dev.txt")), re.DOTALL | re.MULTILINE)
    assert pinned is not None
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pinned.group())
        file.flush()
        _install_by_pip(python, file.name, "dev")


def _install_by_pip(python: str, requirements: str, name: str) -> None:
    """Ends the process where that fails: it knows the index of pip's own configuration, and says what is wrong."""
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2"]
    command += ["--require-hashes", "-r", requirements]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        if _NO_NETWORK.search(said):
            sys.exit(
                "The packages cannot be fetched: no connection to the package index. Check the network and "
                "HTTPS_PROXY, or name an index of your own in PIP_INDEX_URL; then run make again."
            )
        sys.exit(f"{said}\nThe packages of requirements/{name}.txt could not be installed; see above.")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def main(folder: str, name: str) -> None:
    python = make_environment(folder, os.environ.get("PYTHON", ""))
    if name != "base" and not os.path.exists(os.path.join(os.path.dirname(python), "uv")):
        _install_uv(python)
    for part in SETS[name]:
        install(folder, python, part)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
