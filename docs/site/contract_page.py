"""The page of the contract, out of the docstrings of ``adapters/contract/``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from adapters.contract import errors
from adapters.contract.manifest import OPTIONAL_OPERATIONS
from docs.site.source_code import Class, Function, Member, Module
from docs.site.sources import ROOT

_CONTRACT = ROOT / "adapters" / "contract"
_INTRODUCTION = """\
# The contract

Everything an adapter may use, in the words of its docstrings: this page is made from the sources whenever the site is
built. All of it is imported from one place:

```python
from adapters.contract import Contact, ContactMatches, CrmAdapter
```

[Writing an adapter](../writing-an-adapter.md) leads through it with an example. What the kit checks, and what becomes
of each error, is in [the rules for adapters](../adapters.md); what a manifest may say in
[Every manifest key](manifest.md).
"""
#: Modules whose classes have parts of the page to themselves; the rest is tools.
_PARTS = {"adapter", "types", "errors"}


def contract_page() -> str:
    """The page as Markdown."""
    return "\n".join(_page())


@cache
def exported() -> dict[str, tuple[str, str]]:
    """Name -> module that defines it and its name there, of all that ``adapters.contract`` exports."""
    return {name: _home(*place) for name, place in _module("__init__").imported().items() if "." in place[0]}


@cache
def _module(name: str) -> Module:
    return Module(_CONTRACT / f"{name}.py")


def _home(module: str, name: str) -> tuple[str, str]:
    """Where a name is defined; the module may itself have imported it from another one of the contract."""
    short = module.rsplit(".", 1)[1]
    place = _module(short).imported().get(name)
    return _home(*place) if place else (short, name)


def _page() -> Iterator[str]:
    modules = {module: _module(module) for module, _ in exported().values()}
    of_adapter = modules["adapter"].classes()
    yield _INTRODUCTION
    yield from _adapter(of_adapter["CrmAdapter"])
    yield "## What an adapter is given\n"
    yield from _value(of_adapter["AdapterContext"])
    yield f"## Values\n\n{modules['types'].text}\n"
    for name, (module, there) in exported().items():
        if module == "types":
            found = modules["types"].classes().get(there)
            yield from _value(found) if found else _constant(name, modules["types"].constants()[there])
    yield f"## Errors\n\n{modules['errors'].text}\n"
    yield from _errors(modules["errors"].classes())
    yield "## Tools\n"
    for module in modules:
        if module not in _PARTS:
            yield from _tools(
                modules[module], {name: there for name, (home, there) in exported().items() if home == module}
            )


def _adapter(adapter: Class) -> Iterator[str]:
    yield f"## The adapter\n\n{adapter.text}\n"
    yield from _fields(adapter.fields)
    section = ""
    for method in adapter.methods:
        if method.name == "__init__":
            continue
        if method.section != section:
            section = method.section
            yield f"### {section[0].upper()}{section[1:]}\n"
        yield from _function(method, method.name, level=4, note=_who_writes_it(method))


def _who_writes_it(method: Function) -> str:
    if "abstractmethod" in method.decorators:
        return "Required."
    if method.name in OPTIONAL_OPERATIONS:
        return f"Optional; offered by naming `{method.name}` under `server.capabilities`."
    return "Has a default; override it where the CRM differs."


def _errors(classes: dict[str, Class]) -> Iterator[str]:
    base = classes["ConnectorError"]
    yield f"### ErrorKind\n\n{classes['ErrorKind'].text}\n"
    yield "| Kind | Means |\n|---|---|"
    yield from (f"| `{member.name}` | {member.text} |" for member in classes["ErrorKind"].fields)
    yield "\n### All errors\n"
    yield "| Error | Kind | Message, unless another is given | Raised for |\n|---|---|---|---|"
    for error in classes.values():
        if "Error" in error.name and error.name != base.name:
            continue
        kind = getattr(errors, error.name).kind_if_not_applied
        message, _, rest = error.text.partition("\n")
        yield f"| `{error.name}` | `{kind.name}` | {message} | {' '.join(rest.split())} |"
    yield f"\n### {base.name}\n"
    yield from _fields(base.fields)
    for method in base.methods:
        yield from _function(method, base.name if method.name == "__init__" else method.name, level=4)
    for error in classes.values():
        for method in error.methods if error.name not in (base.name, "ErrorKind") else ():
            if method.name == "__init__" and method.text:
                yield from _function(method, error.name, level=4)


def _tools(module: Module, names: dict[str, str]) -> Iterator[str]:
    """``names``: those exported, with what they are called in the module."""
    classes, functions = module.classes(), module.functions()
    yield f"### {module.text.split('.', 1)[0].split(':', 1)[0]}\n"
    for name, there in names.items():
        if there in functions:
            yield from _function(functions[there], name, level=4)
        else:
            yield from _value(classes[there], level=4)


def _value(found: Class, *, level: int = 3) -> Iterator[str]:
    yield f"{'#' * level} {found.name}\n\n{found.text}\n"
    yield from _fields(found.fields)
    for method in found.methods:
        if method.name != "__init__":
            yield from _function(method, f"{found.name}.{method.name}", level=level + 1)


def _constant(name: str, member: Member) -> Iterator[str]:
    yield f"### {name}\n\n`{member.default}`. {member.text}\n"


def _fields(members: Sequence[Member]) -> Iterator[str]:
    if not members:
        return
    columns = ["Name", "Type", "Default", "Meaning"]
    rows = [[_code(item.name), _code(item.type), _code(item.default), " ".join(item.text.split())] for item in members]
    used = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    for row in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(row[number] for number in used)} |"
    yield ""


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _function(function: Function, name: str, *, level: int, note: str = "") -> Iterator[str]:
    """``name``: as an adapter calls it."""
    last = name.rsplit(".", 1)[-1]
    signature = last if "property" in function.decorators else function.signature.replace(function.name, last, 1)
    yield f"{'#' * level} {name}\n\n```python\n{signature}\n```\n"
    yield "\n\n".join(text for text in (note, function.text) if text) + "\n"
