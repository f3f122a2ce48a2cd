"""Chromium without a window, driven over its debugging pipe: opens pages, runs script, collects complaints."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser") or ""


class Page:
    """One tab. ``complaints``: console errors and violations of the content security policy."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._buffer, self._number = write, read, b"", 0
        self._session: dict[str, str] = {}
        self.complaints: list[str] = []
        self.requested: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        result = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, condition: str, seconds: float = 15) -> None:
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            try:
                if self.run(condition):
                    return
            except (AssertionError, RuntimeError):  # the page is just being replaced
                pass
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {condition}; {self.complaints}")

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._read, 65_536)
            if not data:
                raise RuntimeError("the browser is gone")
            self._buffer += data
        message, self._buffer = self._buffer.split(b"\0", 1)
        decoded: dict[str, Any] = json.loads(message)
        return decoded

    def _note(self, event: dict[str, Any]) -> None:
        method, given = event.get("method"), event.get("params", {})
        if method == "Log.entryAdded" and given["entry"]["level"] == "error":
            if not given["entry"].get("url", "").endswith("/favicon.ico"):
                self.complaints.append(given["entry"]["text"])
        elif method == "Audits.issueAdded" and "contentSecurityPolicyIssueDetails" in given["issue"]["details"]:
            self.complaints.append(json.dumps(given["issue"]["details"]["contentSecurityPolicyIssueDetails"]))
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(given["exceptionDetails"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requested.append(given["request"]["url"])


@contextmanager
def browser(folder: Path, *further_flags: str) -> Iterator[Page]:
    """A fresh browser with its profile in ``folder``."""
    ours_read, theirs_write = os.pipe()
    theirs_read, ours_write = os.pipe()

    def pipes() -> None:
        os.dup2(theirs_read, 3)
        os.dup2(theirs_write, 4)

    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command = [
        EXECUTABLE,
        *flags,
        *further_flags,
        "--remote-debugging-pipe",
        f"--user-data-dir={folder}",
        "about:blank",
    ]
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            command, pass_fds=(3, 4), preexec_fn=pipes, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            yield Page(ours_write, ours_read)
        finally:
            process.terminate()
            process.wait(15)
            for descriptor in (ours_read, ours_write, theirs_read, theirs_write):
                os.close(descriptor)
