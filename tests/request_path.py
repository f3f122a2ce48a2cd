"""Counts the files that one ``POST /callLog`` runs through, from the request to the call of the CRM.

``python -m tests.request_path`` prints each of our modules that a reader of that request meets, in the order in which
control first enters it, with its number of lines, and how often control passes between two modules.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.test import Client  # noqa: E402 - needs the settings loaded above
from django.test.utils import get_runner, setup_test_environment  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
#: What happens to a call between "accepted" and "in the CRM", and who hands it over.
STORY = ("connectors/api/call_logs.py", "connectors/services/call_logs.py", "connectors/deliveries/")
OURS = ("adapters", "audit", "connectors", "config")


class Route:
    """The modules that control enters, and each passage from one to another."""

    def __init__(self) -> None:
        self.entered: dict[str, None] = {}
        self.passages: Counter[tuple[str, str]] = Counter()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        here = _module(frame)
        if not here or frame.f_code.co_name == "<module>":
            return
        self.entered.setdefault(here)
        caller = frame.f_back
        while caller is not None and not (there := _module(caller)):
            caller = caller.f_back
        if caller is not None and there != here:
            self.passages[there, here] += 1


def _module(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(ROOT) or path.parts[len(ROOT.parts)] not in OURS:
        return ""
    return str(path.relative_to(ROOT))


def main() -> None:
    from adapters.contract import LogResult
    from adapters.testcrm.adapter import Adapter
    from connectors.api.authentication import issue_token
    from tests.extension import call
    from tests.factories import CrmUserFactory

    setup_test_environment()
    runner = get_runner(django.conf.settings)(verbosity=0, interactive=False)
    databases = runner.setup_databases()

    def create_call_log(self: Adapter, entry: Any) -> LogResult:
        entry.created(f"id-{entry.session_id}")
        return LogResult(log_id=f"id-{entry.session_id}")

    Adapter.create_call_log = create_call_log  # type: ignore[method-assign]
    try:
        token = issue_token(CrmUserFactory())
        luke = {"id": 1, "name": "Luke", "type": "Contact"}
        client, path = Client(), Route()
        client.post(f"/callLog?jwtToken={token}", call("1", luke), content_type="application/json")
        sys.setprofile(path)
        reply = client.post(f"/callLog?jwtToken={token}", call("2", luke), content_type="application/json")
        sys.setprofile(None)
        assert reply.json()["successful"], reply.content
    finally:
        runner.teardown_databases(databases)
    story = [name for name in path.entered if name.startswith(STORY)]
    for name in path.entered:
        lines = len((ROOT / name).read_text().splitlines())
        sys.stdout.write(f"{'*' if name in story else ' '} {lines:4} {name}\n")
    between = sum(count for (one, other), count in path.passages.items() if one in story and other in story)
    sys.stdout.write(f"{len(path.entered)} files; {len(story)} tell the story (*); {between} passages between those\n")


if __name__ == "__main__":
    main()
