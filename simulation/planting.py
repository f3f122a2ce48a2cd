"""Puts a fault into the source of one module, on its way from the file to the interpreter."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

from simulation.planted_seen import SEEN
from simulation.planted_unseen import BLIND

_ROOT = Path(__file__).resolve().parent.parent

#: Words -> file below the repository, text as it stands, text with the fault.
FAULTS: dict[str, tuple[str, str, str]] = {
    **{words: (f"connectors/deliveries/{file}", right, wrong) for words, (file, right, wrong) in BLIND.items()},
    **SEEN,
}


#: Faults in what keeps apart transactions that SQLite lets run one after the other, or that its schedules do not meet:
#: sought on PostgreSQL.
ON_POSTGRESQL = frozenset(
    {
        "two windows log one session without a lock",
        "two processes take two changes of one record at once",
        "a change that could not be read undoes a newer one",
    }
)


class _Planter(importlib.abc.MetaPathFinder):
    """Finds one module before others do."""

    def __init__(self, module: str, right: str, wrong: str) -> None:
        self.module, self.right, self.wrong = module, right, wrong
        self.was_loaded = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.origin is None:
            return None
        spec.loader = _Faulty(fullname, spec.origin, self)
        return spec


class _Faulty(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, planter: _Planter) -> None:
        super().__init__(name, path)
        self._planter = planter

    def get_code(self, fullname: str) -> CodeType | None:
        text = Path(self.path).read_text()
        self._planter.was_loaded = True
        return compile(text.replace(self._planter.right, self._planter.wrong), self.path, "exec")


def plant(words: str) -> _Planter:
    """Before anything is imported. Raises ``ValueError`` where the text does not stand in the file exactly once."""
    file, right, wrong = FAULTS[words]
    count = (_ROOT / file).read_text().count(right)
    if count != 1:
        raise ValueError(f"{words}: the text stands {count} times in {file}")
    planter = _Planter(file.removesuffix(".py").replace("/", "."), right, wrong)
    sys.meta_path.insert(0, planter)
    return planter
