"""Who may import whom, and what may not be named where; read from the source, nothing is run."""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("adapters", "audit", "config", "connectors", "tests")
DJANGO = {"django"}
DRF = {"rest_framework", "drf_orjson_renderer", "corsheaders"}

REGISTRY = {
    f"adapters.{name}" for name in ("contract", "registry", "checks", "capabilities", "opening", "readiness", "schemas")
}

#: Package -> third-party and own packages it may import beside the standard library and itself.
MAY_IMPORT = {
    "adapters/contract": set(),
    "adapters/proxy": {"adapters.contract"},
    "adapters/management": {*DJANGO, *REGISTRY, "adapters.proxy"},
    "adapters": {*DJANGO, *REGISTRY},
    "adapters/schemas": {"adapters.contract", "adapters.proxy"},
    "audit": {*DJANGO, "structlog"},
    "connectors": {
        *DJANGO,
        *DRF,
        "adapters",
        "adapters.contract",
        "adapters.registry",
        "audit",
        "csp",
        "drf_spectacular",
        "jwt",
        "redis",
    },
    "config": {*DJANGO, "connectors", "csp", "environ", "structlog"},
}
#: Single modules that speak for the contract to a library.
EXCEPTIONS = {
    "adapters/contract/connections.py": {"pycurl"},
    "adapters/contract/http.py": {"requests", "urllib3"},
    "adapters/contract/preparing.py": {"requests"},
    "adapters/contract/oauth.py": {"authlib"},
    "adapters/contract/phone.py": {"phonenumbers"},
    "adapters/contract/phone_lines.py": {"phonenumbers"},
    "adapters/contract/transfer.py": {"pycurl", "urllib3"},
    "adapters/contract/transport.py": {"requests"},
    "adapters/contract/transport_errors.py": {"requests"},
    "adapters/contract/waiting.py": {"greenlet"},
    "audit/fields.py": {"cryptography"},
    "config/celery.py": {"celery"},
    "config/error_reports.py": {"sentry_sdk"},
    "config/logs.py": {"orjson"},
    "connectors/deliveries/changes.py": {"cattrs"},
    "connectors/deliveries/tasks.py": {"celery"},
    "connectors/observation/exposition.py": {"prometheus_client"},
    "connectors/observation/metrics.py": {"prometheus_client"},
}
CRM_FOLDERS = sorted(path.parent.name for path in ROOT.glob("adapters/*/manifest.json"))


def _modules():
    for package in ("adapters", "audit", "connectors", "config"):
        for path in sorted((ROOT / package).rglob("*.py")):
            is_test = path.name in ("tests.py", "conftest.py") or path.name.startswith("test_")
            if "migrations" not in path.parts and not is_test:
                yield path.relative_to(ROOT)


@functools.cache
def _nodes(path):
    return list(ast.walk(ast.parse((ROOT / path).read_text())))


def _imports(path):
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module if node.module != "adapters" else f"adapters.{node.names[0].name}"


def _allowed(path):
    folder = path.parts[1] if path.parts[0] == "adapters" and len(path.parts) > 2 else ""
    if folder in CRM_FOLDERS:
        return {"adapters.contract", f"adapters.{folder}"}
    home = f"adapters/{folder}" if folder in ("contract", "management", "proxy", "schemas") else path.parts[0]
    return {*MAY_IMPORT[home], home.replace("/", "."), *EXCEPTIONS.get(str(path), ())}


def _foreign_imports(path):
    allowed = _allowed(path)
    if path.parts[0] == "adapters" and len(path.parts) == 2:
        allowed = allowed - {"adapters"}
    for name in _imports(path):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top == "__future__":
            continue
        if not any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed):
            yield f"{path} imports {name}"


def _crms_named(path):
    for node in _nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lower() in CRM_FOLDERS:
            yield f"{path}:{node.lineno} names {node.value}"


def test_a_module_imports_only_what_its_package_may():
    modules = list(_modules())
    assert len(modules) > 300
    assert [fault for path in modules for fault in _foreign_imports(path)] == []


def test_shared_code_names_no_crm():
    shared = [path for path in _modules() if path.parts[0] != "adapters"]
    shared.remove(Path("config/launch.py"))  # starts the sandbox CRM's process
    assert [fault for path in shared for fault in _crms_named(path)] == []


def test_no_module_has_a_name_that_says_nothing():
    for path in _modules():
        assert path.stem not in ("utils", "common", "misc", "helpers"), path
