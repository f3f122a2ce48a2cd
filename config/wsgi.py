"""The WSGI entry that the web server loads."""

from __future__ import annotations

from config.start import set_up

set_up()

from connectors.api.application import Application  # noqa: E402 - needs the settings loaded above
from connectors.observation.metrics import WEB  # noqa: E402
from connectors.observation.start_line import started  # noqa: E402

application = Application()
started(WEB)
