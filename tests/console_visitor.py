"""Somebody at the console: presses buttons by what stands on them, types into fields by their labels, reads."""

from __future__ import annotations

import json
from typing import Any

from tests.browser import Page

#: The visible element of the selector whose text begins with ``text``.
_FIND = (
    "((selector, text) => [...document.querySelectorAll(selector)].find((element) => element.checkVisibility() &&"
    " element.textContent.trim().startsWith(text)))"
)


class Visitor:
    """``page`` is the browser's tab."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    def come(self, path: str = "/") -> None:
        """Opens the console as somebody who was never there."""
        self.page.open(f"{self.url}/isAlive")
        self.page.run("sessionStorage.clear()")
        self.page.open(f"{self.url}{path}")
        self.wait_ready()

    def wait_ready(self) -> None:
        self.page.wait_for("document.body?.dataset.ready === 'yes'")

    def _element(self, selector: str, text: str) -> str:
        return f"{_FIND}({json.dumps(selector)}, {json.dumps(text)})"

    def press(self, text: str) -> None:
        """Waits for a button, link or summary that begins so, and presses it."""
        element = self._element("button, summary, a", text)
        self.page.wait_for(f"!!{element}")
        self.page.run(f"{element}.click()")

    def press_exactly(self, text: str) -> None:
        """The same for a button on which nothing else stands."""
        find = f"[...document.querySelectorAll('button')].find((one) => one.textContent === {json.dumps(text)})"
        self.page.wait_for(f"!!{find}")
        self.page.run(f"{find}.click()")

    def _control(self, label: str) -> str:
        return f"document.getElementById({self._element('label', label)}?.htmlFor)"

    def type(self, label: str, text: str) -> None:
        """Types into the field of that label, or chooses what begins so in a list."""
        control = self._control(label)
        self.page.wait_for(f"!!{control}")
        self.page.run(
            f"(() => {{ const control = {control}; const text = {json.dumps(text)};"
            " control.value = control.options ? [...control.options].find((o) => o.text.startsWith(text)).value : text;"
            " control.dispatchEvent(new Event('input', {bubbles: true}));"
            " control.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def tick(self, label: str) -> None:
        self.page.wait_for(f"!!{self._control(label)}")
        self.page.run(f"{self._control(label)}.click()")

    def text(self, selector: str = "#extension") -> str:
        return " ".join(str(self.page.run(f"document.querySelector('{selector}').innerText")).split())

    def sees(self, text: str, selector: str = "#extension", seconds: float = 30) -> None:
        """Waits until it is there."""
        read = f"document.querySelector({json.dumps(selector)}).innerText.replace(/\\s+/g, ' ')"
        try:
            self.page.wait_for(f"{read}.includes({json.dumps(text)})", seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} is not in: {self.text('body')}; {self.page.complaints}") from None

    def exchanges(self) -> list[str]:
        """``"GET /contact 200 12 ms · 1 CRM call"``, oldest first."""
        lines: list[str] = self.page.run(
            "[...document.querySelectorAll('#exchange-list summary')].map((line) => line.textContent.trim()).reverse()"
        )
        return lines

    def log_in(self, key: str = "demo-key") -> None:
        self.press("Test CRM")
        self.type("API key", key)
        self.press("Log in")
        self.sees("Make a call ring")

    def log_call(self, number: str = "+16505551212", note: str = "Wants a quote") -> None:
        """A call comes in, is answered, and logged with a note; nothing is said of what becomes of it."""
        self.type("Number of the other side", number)
        self.press("Incoming call")
        self.press("Answer")
        self.type("Note", note)
        self.press("Log the call")

    def ask(self, script: str) -> Any:
        return self.page.run(script)
