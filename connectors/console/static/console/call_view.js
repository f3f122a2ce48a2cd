// The page of the telephone: an incoming or outgoing call, who it is, and its log.

import { answer, change, hangUp, ring } from "./calls.js";
import { button, fill, focusOn, h, labelled } from "./dom.js";
import { showPeople } from "./contacts.js";
import { showLog } from "./log_form.js";
import { clear } from "./notices.js";
import { sandbox } from "./platforms.js";
import { platformName } from "./session.js";

/** Numbers of the sandbox's people, each for what it shows. */
const NUMBERS = [
  ["+16505551212", "one person, with deals"],
  ["+12125550187", "two people share it"],
  ["+16505550199", "nobody has it"],
  ["", "the caller withholds it"],
];

let current = null;
let drawLog = () => {};
/** Shows the log of the call on the page as it is now; who is calling stays. */
export const refreshLog = () => drawLog();
export const currentCall = () => current;
export const forgetCurrent = () => void (current = null);

export function showCalls(view) {
  if (current) showCall(view, current);
  else showKeypad(view);
}

function showKeypad(view) {
  const number = h("input", { type: "tel", autocomplete: "off", value: sandbox(platformName()) ? NUMBERS[0][0] : "" });
  const start = (direction, text) => {
    clear();
    showCall(view, (current = ring(direction, text.trim())), true);
  };
  const picks =
    sandbox(platformName()) &&
    h(
      "div",
      {},
      h("h4", {}, "Or let one of the sandbox's numbers call"),
      h(
        "ul",
        { class: "choices" },
        NUMBERS.map(([text, what]) =>
          h(
            "li",
            {},
            button(text || "Withheld", () => start("Inbound", text), { "data-number": text }),
            h("span", { class: "quiet" }, ` ${what}`),
          ),
        ),
      ),
    );
  const submit = (event) => {
    event.preventDefault();
    start("Inbound", number.value);
  };
  fill(
    view,
    h("h3", {}, "Make a call ring"),
    h(
      "form",
      { onsubmit: submit },
      labelled("Number of the other side", number),
      h(
        "div",
        { class: "row" },
        h("button", { class: "primary" }, "Incoming call"),
        button("Outgoing call", () => start("Outbound", number.value)),
      ),
    ),
    picks,
  );
}

function showCall(view, call, isNew = false) {
  const telephone = h("div", { class: "telephone" });
  const people = h("div");
  const log = h("div", { class: "log" });
  const heading = h(
    "h3",
    {},
    `${call.direction === "Inbound" ? "Incoming call from" : "Outgoing call to"} ${call.number || "a withheld number"}`,
  );
  fill(
    view,
    heading,
    telephone,
    people,
    log,
    h(
      "p",
      {},
      button(
        "Another call",
        () => {
          current = null;
          clear();
          showKeypad(view);
          focusOn(view.querySelector("h3"));
        },
        { class: "link" },
      ),
    ),
  );
  const draw = () => fill(telephone, phases(call, draw));
  drawLog = () => log.isConnected && showLog(log, call, draw);
  draw();
  showLog(log, call, draw);
  showPeople(people, {
    number: call.number,
    chosen: call.contact,
    onChosen: (contact) => {
      const isOther = call.contact?.id !== contact.id;
      change(call, { contact, fields: isOther ? {} : call.fields });
      showLog(log, call, draw);
    },
  });
  if (isNew) focusOn(heading);
}

/** Opens a call of the list of recent ones. */
export function openCall(view, call) {
  current = call;
  showCall(view, call, true);
}

function phases(call, draw) {
  const step = (action) => () => {
    action(call);
    draw();
  };
  if (call.phase === "ringing") {
    return [
      h("p", {}, "Ringing …"),
      h("div", { class: "row" }, button("Answer", step(answer), { class: "good" }), button("Decline", step(hangUp))),
    ];
  }
  if (call.phase === "connected") return [h("p", {}, "Connected."), button("Hang up", step(hangUp), { class: "bad" })];
  return h(
    "p",
    { class: "quiet" },
    `${call.result}, ${call.duration} s, ${new Date(call.startTime).toLocaleTimeString()}`,
  );
}
