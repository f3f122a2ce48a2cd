"""The entry point on AWS Lambda: ``deploy.aws_lambda.handler``; docs/operating.md tells how it is set up.

HTTP comes as API Gateway's or a function URL's payload of version 2.0, which has the query as it was sent. A schedule
sends ``{"command": "deliver"}``: nothing works in the background between two events, so no thread is started, and a
pool of database connections, which needs one, is not used.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

os.environ.setdefault("VAR_DIR", "/tmp/switchboard")  # noqa: S108 - the only folder that can be written to
os.environ["SERVERLESS"] = "on"

from config.start import set_up

set_up()

from apig_wsgi import make_lambda_handler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from connectors.api.application import Application  # noqa: E402

if connection.vendor != "postgresql":
    sys.exit("DATABASE_URL must name PostgreSQL on AWS Lambda: a SQLite file would be lost with each of its machines.")

COMMANDS = ("prepare", "deliver", "clear_tokens", "check")
_answer = make_lambda_handler(Application(), binary_support=True)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The answer to a request, or the output of a command. Raises ``ValueError`` for an event that is neither."""
    if "command" in event:
        return {"output": _run(event["command"])}
    if event.get("version") != "2.0":
        raise ValueError("Use payload format 2.0: earlier ones do not hold the query as it was sent.")
    return _answer(event, context)


def _run(command: str) -> str:
    if command not in COMMANDS:
        raise ValueError(f"The command must be one of {', '.join(COMMANDS)}.")
    output = io.StringIO()
    call_command(command, stdout=output)
    return output.getvalue()
