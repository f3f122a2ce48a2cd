// The calls of this tab with the state of each log, as the extension's list of recent calls shows them.

import { changes, list, refreshStates, subjectOf } from "./calls.js";
import { openCall } from "./call_view.js";
import { busyButton, button, fill, h } from "./dom.js";
import { deskLink, stateOf } from "./log_form.js";

/** `onOpen` makes the page of the telephone the current one. */
export function showRecent(view, onOpen) {
  const rows = h("ul", { class: "choices" });
  const draw = () =>
    fill(
      rows,
      list().map((call) =>
        h(
          "li",
          { class: "recent" },
          h(
            "div",
            {},
            button(subjectOf(call), () => openCall(onOpen(), call), { class: "link" }),
            " ",
            stateOf(call),
          ),
          h(
            "p",
            { class: "quiet" },
            `${new Date(call.startTime).toLocaleTimeString()} · ${call.result ?? call.phase} · ${call.duration} s · `,
            deskLink(call),
          ),
        ),
      ),
    );
  draw();
  fill(
    view,
    h("h3", {}, "Recent calls"),
    list().length ? rows : h("p", { class: "quiet" }, "No calls yet: let one ring first."),
    list().length > 0 &&
      busyButton("Ask the server again", () => refreshStates(list().filter((call) => call.phase === "ended"))),
  );
  const redraw = () => (rows.isConnected ? draw() : changes.removeEventListener("changed", redraw));
  changes.addEventListener("changed", redraw);
  refreshStates(list().filter((call) => call.phase === "ended"));
}
