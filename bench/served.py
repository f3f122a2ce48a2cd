"""This server as it is, except that it takes the bench's CRM for Insightly, and that the vendor's pace is lifted.

One address stands in for hundreds of accounts, whose paces would not add up.
"""

from __future__ import annotations

import os
from dataclasses import replace

from config.start import set_up

set_up()

from adapters import registry  # noqa: E402 - needs the settings
from adapters.insightly import hosts  # noqa: E402

hosts.api_origin = lambda url: url  # type: ignore[assignment] # also one of this machine
_manifest = registry.manifests()["insightly"]
registry.manifests()["insightly"] = replace(
    _manifest, server=replace(_manifest.server, pace=None, hosts=(f"localhost:{os.environ['BENCH_CRM_PORT']}",))
)

from config.rsgi import application  # noqa: E402,F401 - loads the rest
