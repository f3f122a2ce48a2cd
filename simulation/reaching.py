"""Tells which schedules reach the lines of a planted fault: in all others nothing can differ.

Before each statement that a fault changes a mark is put, on the module's way from the file to the interpreter.
"""

from __future__ import annotations

import ast
import difflib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType

_ROOT = Path(__file__).resolve().parent.parent
_MARKS = "_reached_by_simulation"
#: What a module of this kind has worked out once holds for all schedules after it.
_KEEPS_RESULTS = "@functools.cache"
Fault = tuple[str, str, str]


class Reached:
    """The words of faults whose lines were reached since ``clear``. Made before anything is imported."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self.words: set[str] = set()
        #: Faults in what is executed once, when a module is imported: any schedule may differ.
        self.always: set[str] = set()
        files = {file for file, _, _ in faults.values()}
        of_file = {file: {words: fault for words, fault in faults.items() if fault[0] == file} for file in files}
        sys.meta_path.insert(0, _Finder({_module(file): of_file[file] for file in files}, self))

    def clear(self) -> None:
        self.words.clear()


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, modules: Mapping[str, Mapping[str, Fault]], reached: Reached) -> None:
        self._modules, self._reached = modules, reached

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        faults = self._modules.get(fullname)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path) if faults else None
        if faults is None or spec is None or spec.origin is None:
            return None
        spec.loader = _Marking(fullname, spec.origin, faults, self._reached)
        return spec


class _Marking(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, faults: Mapping[str, Fault], reached: Reached) -> None:
        super().__init__(name, path)
        self._faults, self._reached = faults, reached

    def exec_module(self, module: ModuleType) -> None:
        vars(module)[_MARKS] = self._reached.words
        super().exec_module(module)

    def get_code(self, fullname: str) -> CodeType | None:
        text = Path(self.path).read_text()
        tree = ast.parse(text)
        for words, fault in self._faults.items():
            for line in changed_lines(text, fault):
                if not mark(tree, line, words) or _KEEPS_RESULTS in text:
                    self._reached.always.add(words)
        return compile(ast.fix_missing_locations(tree), self.path, "exec")


def _module(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def changed_lines(text: str, fault: Fault) -> set[int]:
    """Numbers of the lines that a fault changes."""
    _, right, wrong = fault
    before, after = text.splitlines(), text.replace(right, wrong).splitlines()
    changes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return {
        line
        for kind, start, end, *_ in changes
        if kind != "equal"
        for line in range(start + 1, max(end, start + 1) + 1)
    }


def mark(tree: ast.Module, line: int, words: str) -> bool:
    """Puts a mark before the innermost statement of this line; False where it is in no function."""
    found: tuple[list[ast.stmt], int] | None = None
    places: list[tuple[ast.AST, bool]] = [(tree, False)]
    while places:
        node, is_in_function = places.pop()
        for block in _blocks(node):
            for number, statement in enumerate(block):
                if statement.lineno <= line <= (statement.end_lineno or 0):
                    if is_in_function:
                        found = block, number
                    places.append((statement, is_in_function or isinstance(statement, ast.FunctionDef)))
    if found is None:
        return False
    block, number = found
    block.insert(number, ast.parse(f"{_MARKS}.add({words!r})").body[0])
    return True


def _blocks(node: ast.AST) -> list[list[ast.stmt]]:
    blocks = [getattr(node, name, None) for name in ("body", "orelse", "finalbody")]
    handlers = [handler.body for handler in getattr(node, "handlers", [])]
    return [block for block in (*blocks, *handlers) if isinstance(block, list)]
