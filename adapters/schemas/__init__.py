"""The JSON Schemas that editors complete manifests and definitions by: files that ``adapter_schemas --write`` makes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from adapters.contract.manifest_schema import manifest_schema
from adapters.proxy.json_schema import definition_schema

FOLDER = Path(__file__).resolve().parent
#: File in this folder -> the schema that belongs into it.
SCHEMAS = {"manifest.schema.json": manifest_schema, "definition.schema.json": definition_schema}


def text_of(name: str) -> str:
    """What the file should hold."""
    return json.dumps(SCHEMAS[name](), indent=1, ensure_ascii=False) + "\n"


def reference(name: str, folder: Path) -> str:
    """What a ``manifest`` or ``definition`` in ``folder`` writes under ``$schema``: the way to the file from there."""
    return Path(os.path.relpath(FOLDER / f"{name}.schema.json", folder.resolve())).as_posix()
