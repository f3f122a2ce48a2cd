"""Reads classes, functions and what is written about them out of Python sources; nothing is imported."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SECTION = re.compile(r"^ *# --- (.+?) -+$")
_LIST_ENTRY = re.compile(r"^``[^`]+``(?: with ``[^`]+``)?:")


@dataclass(frozen=True, kw_only=True)
class Member:
    """A field of a class, or a name of a module: ``default`` is empty where a value has to be given."""

    name: str
    type: str
    default: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function or method: its parameters and result as written, its docstring as Markdown."""

    name: str
    signature: str
    text: str
    #: Names of its decorators, such as ``abstractmethod``.
    decorators: tuple[str, ...]
    #: The heading under which it stands in its class: ``# --- contacts ---``.
    section: str


@dataclass(frozen=True, kw_only=True)
class Class:
    """A class with the fields and the public methods that it declares itself."""

    name: str
    bases: tuple[str, ...]
    text: str
    fields: tuple[Member, ...]
    methods: tuple[Function, ...]


class Module:
    """One source file."""

    def __init__(self, path: Path) -> None:
        source = path.read_text(encoding="utf-8")
        self._lines = source.split("\n")
        self._tree = ast.parse(source)

    @property
    def text(self) -> str:
        return as_markdown(ast.get_docstring(self._tree) or "")

    def classes(self) -> dict[str, Class]:
        """By name, in the order of the file."""
        found = (node for node in self._tree.body if isinstance(node, ast.ClassDef))
        return {node.name: self._class(node) for node in found}

    def functions(self) -> dict[str, Function]:
        """Those of the module itself, by name."""
        found = (node for node in self._tree.body if isinstance(node, ast.FunctionDef))
        return {node.name: self._function(node) for node in found}

    def constants(self) -> dict[str, Member]:
        """Names that the module assigns, by name."""
        return {member.name: member for member in self._fields(self._tree.body)}

    def imported(self) -> dict[str, tuple[str, str]]:
        """Name -> module and name there, of ``from x import y as z``."""
        return {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in self._tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    def _class(self, node: ast.ClassDef) -> Class:
        methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
        shown = [item for item in methods if not item.name.startswith("_") or item.name == "__init__"]
        return Class(
            name=node.name,
            bases=tuple(ast.unparse(base) for base in node.bases),
            text=as_markdown(ast.get_docstring(node) or ""),
            fields=tuple(self._fields(node.body)),
            methods=tuple(self._function(item) for item in shown),
        )

    def _fields(self, body: list[ast.stmt]) -> Iterator[Member]:
        for node in body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name, kind, value = node.target.id, ast.unparse(node.annotation), node.value
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, kind, value = node.targets[0].id, "", node.value
            else:
                continue
            if not name.startswith("_"):
                default = self._default(value)
                yield Member(name=name, type=kind, default=default, text=self._comment_above(node.lineno))

    @staticmethod
    def _default(value: ast.expr | None) -> str:
        if value is None:
            return ""
        text = ast.unparse(value)
        if not isinstance(value, ast.Call) or ast.unparse(value.func) != "field":
            return text
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in value.keywords}
        if made := given.get("default_factory"):
            return {"dict": "{}", "list": "[]"}.get(made, "made anew" if made.startswith("lambda") else f"{made}()")
        return given.get("default", "")

    def _comment_above(self, line: int) -> str:
        """The ``#:`` lines above a line, as one text."""
        found = []
        for text in reversed(self._lines[: line - 1]):
            if not text.strip().startswith("#:"):
                break
            found.append(text.strip()[2:].strip())
        return as_markdown(" ".join(reversed(found)))

    def _function(self, node: ast.FunctionDef) -> Function:
        arguments = ast.unparse(node.args)
        arguments = re.sub(r"^(?:self|cls)(?:, )?", "", arguments)
        result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        above = (_SECTION.match(text) for text in reversed(self._lines[: node.lineno - 1]))
        return Function(
            name=node.name,
            signature=f"{node.name}({arguments}){result}",
            text=as_markdown(ast.get_docstring(node) or ""),
            decorators=tuple(ast.unparse(item) for item in node.decorator_list),
            section=next((found[1] for found in above if found), ""),
        )


def as_markdown(docstring: str) -> str:
    """A docstring with Markdown's marks: code in single backticks, lines that name a parameter as a list."""
    lines: list[str] = []
    for line in inspect.cleandoc(docstring).split("\n"):
        if _LIST_ENTRY.match(line):
            if lines and lines[-1] and not lines[-1].startswith("- "):
                lines.append("")
            line = f"- {line}"
        elif lines and lines[-1].startswith(("- ", "    ")) and line:
            line = f"    {line}"
        lines.append(line)
    parts = re.split(r"(``.+?``)", "\n".join(lines))
    return "".join(part[1:-1] if number % 2 else _plain(part) for number, part in enumerate(parts))


def _plain(text: str) -> str:
    """Text without what Markdown would take for tags, links and cells."""
    return re.sub(r"([\[\]|])", r"\\\1", text.replace("<", "&lt;"))
