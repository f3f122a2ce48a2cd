"""This server as it is, except that the CRM's name leads to the bench's CRM, and the vendor's pace is lifted.

One address stands in for hundreds of accounts, whose paces would not add up.
"""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import Any

from config.start import set_up

set_up()

from adapters import registry  # noqa: E402 - needs the settings
from adapters.contract import connections  # noqa: E402,F401 - its own look-up of names is in place before ours

CRM_HOST = "api.na1.insightly.com"
_port = int(os.environ["BENCH_CRM_PORT"])
_find = socket.getaddrinfo


def _found(host: Any, port: Any, *args: Any, **named: Any) -> Any:
    return _find("127.0.0.1", _port, *args, **named) if host == CRM_HOST else _find(host, port, *args, **named)


socket.getaddrinfo = _found
_manifest = registry.manifests()["insightly"]
registry.manifests()["insightly"] = replace(_manifest, server=replace(_manifest.server, pace=None))

from config.rsgi import application  # noqa: E402,F401 - loads the rest
