"""What each adapter offers, as tables for a terminal and for ``adapters/README.md``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from adapters.contract import Manifest
from adapters.contract.manifest import OPTIONAL_OPERATIONS

README = Path(__file__).resolve().parent / "README.md"
_BEGIN, _END = "<!-- begin: list_adapters --markdown -->", "<!-- end -->"
_LOGINS = {"oauth": "OAuth", "api_key": "API key", "password": "user name and password"}


def as_text(adapters: Iterable[tuple[Manifest, Sequence[str]]]) -> str:
    """Columns for a terminal; each manifest comes with the names of the secrets it lacks."""
    head = ("Platform", "Name", "Login", "Secrets", "Optional operations")
    lines = [
        (
            manifest.name,
            manifest.display_name,
            _login(manifest),
            _secrets(manifest, missing),
            ", ".join(manifest.server.capabilities) or "none",
        )
        for manifest, missing in adapters
    ]
    return columns([head, *lines])


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, each column as wide as its widest cell."""
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_markdown(manifests: Iterable[Manifest]) -> str:
    """One line per adapter, one column per optional operation."""
    head = ("Platform", "Login", *(f"`{name}`" for name in OPTIONAL_OPERATIONS))
    lines = [
        (
            f"`{manifest.name}`",
            _login(manifest),
            *("yes" if name in manifest.server.capabilities else "" for name in OPTIONAL_OPERATIONS),
        )
        for manifest in manifests
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ("---",) * len(head), *lines))


def table_in_readme(path: Path = README) -> str:
    """The table between the markers. Raises ``ValueError`` where there are none."""
    return _parts(path)[1].strip()


def replace_in_readme(table: str, path: Path = README) -> None:
    """Puts a table between the markers. Raises ``ValueError`` where there are none."""
    before, _, after = _parts(path)
    path.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{after}", encoding="utf-8")


def _parts(path: Path) -> tuple[str, str, str]:
    before, begin, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    table, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the markers {_BEGIN} and {_END}")
    return before, table, after


def _login(manifest: Manifest) -> str:
    return _LOGINS.get(manifest.server.auth.type, manifest.server.auth.type)


def _secrets(manifest: Manifest, missing: Sequence[str]) -> str:
    if not manifest.server.secrets:
        return "none needed"
    return f"missing: {', '.join(missing)}" if missing else "set"
