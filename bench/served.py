"""This server as it is, except that the CRM's name leads to the bench's CRM, and the vendor's pace is lifted.

One address stands in for hundreds of accounts, whose paces would not add up.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pycurl

from config.start import set_up

set_up()

from adapters import registry  # noqa: E402 - needs the settings
from adapters.contract.transfer import Transfer  # noqa: E402

_CONNECT_TO = [f"api.na1.insightly.com:443:127.0.0.1:{os.environ['BENCH_CRM_PORT']}"]
_prepared = Transfer._prepared


def _led_to_ours(transfer: Transfer) -> pycurl.Curl:
    handle = _prepared(transfer)
    handle.setopt(pycurl.CONNECT_TO, _CONNECT_TO)
    return handle


Transfer._prepared = _led_to_ours  # type: ignore[method-assign]
_manifest = registry.manifests()["insightly"]
registry.manifests()["insightly"] = replace(_manifest, server=replace(_manifest.server, pace=None))

from config.rsgi import application  # noqa: E402,F401 - loads the rest
