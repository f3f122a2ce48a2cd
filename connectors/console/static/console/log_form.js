// The log of one call: note, associations and the CRM's own fields; then the log as the CRM has it, and its edit.

import { dispose, editLog, hangUp, logCall, change, readLog, subjectOf } from "./calls.js";
import { busyButton, fill, focusOn, h, labelled, ticked } from "./dom.js";
import { manifestFields } from "./fields.js";
import { tell, tellReply } from "./notices.js";
import { facts, pageOf, platform } from "./platforms.js";

/** The form before the call is logged, and its log afterwards. `onEnded` is called when logging has ended the call. */
export function showLog(place, call, onEnded) {
  if (call.state === "logged" || call.state === "waiting") return showLogged(place, call);
  if (!call.contact) return fill(place, h("p", { class: "quiet" }, "Choose or create somebody to log this call for."));
  const note = h("textarea", { rows: 3, value: call.note, oninput: () => void (call.note = note.value) });
  const recorded = h("input", { type: "checkbox", checked: Boolean(call.recorded) });
  const fields = fieldsOf(call);
  const log = async () => {
    hangUp(call);
    onEnded();
    change(call, { note: note.value, fields: fields.values(), recorded: recorded.checked });
    const reply = await logCall(call);
    tellReply(reply);
    showLog(place, call, onEnded);
    focusOn(place.querySelector("h4"));
  };
  fill(
    place,
    h("h4", {}, `Log for ${call.contact.name}`),
    call.state === "refused" && h("p", { class: "notice error" }, `Not logged: ${call.message}`),
    labelled("Note", note),
    fields.element,
    ticked("The call was recorded", recorded),
    busyButton("Log the call", log, { class: "primary" }),
  );
}

const fieldsOf = (call, given = call.fields) =>
  manifestFields(platform().page?.callLog?.additionalFields ?? [], {
    contact: call.contact,
    given,
    purpose: call.direction === "Inbound" ? "inboundCall" : "outboundCall",
  });

const STATES = {
  logged: ["good", "in the CRM"],
  waiting: ["wait", "saved, will be sent"],
  refused: ["bad", "refused"],
  "not logged": ["plain", "not logged"],
};

/** What became of a call, as a word with a colour. */
export function stateOf(call) {
  const [look, word] = STATES[call.state];
  return h(
    "span",
    { class: `state ${look}` },
    call.wasWaiting && call.state === "logged" ? "delivered to the CRM" : word,
  );
}

function showLogged(place, call) {
  const crm = platform().displayName;
  const body = h("div");
  fill(
    place,
    h("h4", {}, subjectOf(call)),
    h("p", {}, stateOf(call), " ", deskLink(call)),
    call.state === "waiting" &&
      h(
        "p",
        {},
        `${crm} does not have this call yet. It is kept on the server and sent by itself; you need not do anything.`,
      ),
    call.state === "logged" && h("p", {}, openLink(call)),
    call.state === "logged" && busyButton("Show the log as the CRM has it", () => showBody(body, call)),
    body,
    editForm(place, call),
  );
}

const openLink = (call) => {
  const address = pageOf(platform().logPageUrl, {
    logId: call.logId,
    contactId: call.contact?.id,
    contactType: call.contact?.type,
  });
  return address && h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, "Open the log in the CRM");
};

/** The same call in the support desk, which asks for a sign-in of its own. */
export const deskLink = (call) =>
  h(
    "a",
    { href: `${facts.desk}?q=${encodeURIComponent(call.sessionId)}`, target: "_blank", rel: "noopener" },
    "See it in the support desk",
  );

async function showBody(place, call) {
  const { reply, log } = await readLog(call);
  if (!log) {
    if (tellReply(reply)) tell("The CRM has no log of this call.", "warning");
    return fill(place);
  }
  fill(
    place,
    h(
      "dl",
      {},
      h("dt", {}, "Subject"),
      h("dd", {}, log.subject),
      h("dt", {}, "Note"),
      h("dd", {}, log.note || "(none)"),
    ),
    h("p", { class: "quiet" }, "Body:"),
    h("pre", { class: "body", tabindex: "0", "aria-label": "Body of the log" }, log.fullBody || "(empty)"),
  );
}

function editForm(place, call) {
  const subject = h("input", { type: "text", value: call.subject || subjectOf(call) });
  const note = h("textarea", { rows: 3, value: call.note });
  const fields = fieldsOf(call);
  const save = async () => {
    const reply = await editLog(call, { note: note.value, subject: subject.value });
    if (!tellReply(reply)) return;
    const values = fields.values();
    const isOther = JSON.stringify(values) !== JSON.stringify(call.fields);
    change(call, { note: note.value, subject: subject.value, fields: values });
    if (isOther && !platform().disableDisposition) tellReply(await dispose(call, values));
    showLogged(place, call);
    focusOn(place.querySelector("h4"));
  };
  return h(
    "details",
    {},
    h("summary", {}, "Edit the log"),
    labelled("Subject", subject),
    labelled("Note", note),
    fields.element,
    busyButton("Save the changes", save),
  );
}
