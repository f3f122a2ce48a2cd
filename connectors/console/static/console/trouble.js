// The switches for trouble: what the sandbox does to this visitor's own account, and to nobody else's.

import { ask, events } from "./api.js";
import { byId, fill, h } from "./dom.js";
import { sandbox } from "./platforms.js";
import { isConnected, platformName } from "./session.js";

const KINDS = [
  ["", "None", "The CRM answers as it should."],
  ["down", "CRM down", "Every request is answered 503. What you log is saved, and sent when you switch this off."],
  ["slow", "CRM slow", "Every answer takes three seconds."],
  [
    "drop",
    "Drops after writing",
    "The CRM writes, and then closes the connection without an answer: nobody knows whether it has the record. " +
      "The server looks for it before it sends anything again, so it is never there twice.",
  ],
  [
    "refuse",
    "CRM refuses",
    "Every write is refused with a reason of the CRM's own, which is shown. Nothing is sent again.",
  ],
  ["limit", "Rate limit", "Every request is answered 429, to be tried again in ten seconds."],
  [
    "expired",
    "Login expired",
    "The CRM does not know you any more. What you log is saved, and sent after you have logged in again.",
  ],
];
let current = "";

export function start() {
  events.addEventListener("connected", draw);
  events.addEventListener("disconnected", draw);
  draw();
}

/** The trouble as the sandbox has it now: a new login ends an expired one. */
export function showOrdered(kind) {
  if (kind === current) return;
  current = kind;
  draw();
}

/** At a sandbox whose adapter has none. */
export const hideSwitches = () => void (byId("trouble").hidden = true);

function draw() {
  const place = byId("trouble");
  place.hidden = !isConnected() || !sandbox(platformName());
  if (place.hidden) return;
  const explained = h("p", { class: "hint", id: "trouble-hint" }, KINDS.find(([kind]) => kind === current)[2]);
  const focused = place.contains(document.activeElement) ? document.activeElement.value : null;
  fill(
    place,
    h("h2", { id: "trouble-title" }, "Make trouble at the sandbox"),
    h(
      "fieldset",
      { class: "switches", "aria-describedby": "trouble-hint" },
      h("legend", { class: "unseen" }, "What the sandbox CRM does to your requests"),
      KINDS.map(([kind, name]) => {
        const control = h("input", {
          type: "radio",
          name: "trouble",
          value: kind,
          id: `trouble-${kind || "none"}`,
          checked: kind === current,
          onchange: () => order(kind),
        });
        return h("div", { class: "switch" }, control, h("label", { for: control.id }, name));
      }),
    ),
    explained,
    h("p", { role: "status", id: "trouble-status" }),
  );
  if (focused !== null) place.querySelector(`input[value="${focused}"]`)?.focus();
}

async function order(kind) {
  const { ok, error } = await ask("sandbox", { method: "POST", body: { trouble: kind } });
  if (ok) current = kind;
  draw();
  byId("trouble-status").textContent = ok ? "" : error;
  events.dispatchEvent(new Event("ordered"));
}
