// The user's settings: what stands in a log, and what the CRM's manifest offers. Each change is saved at once.

import { editLog, list, logCall, readLog, ring, answer, hangUp, change } from "./calls.js";
import { busyButton, fill, h, labelled, ticked } from "./dom.js";
import { tell, tellReply } from "./notices.js";
import { platform } from "./platforms.js";
import { entryOf, loadSettings, saveSetting, settingOf } from "./settings_values.js";

/** Lines of a log: setting, name, and what the extension shows where nothing is stored. */
const LINES = [
  ["addCallLogNote", "Note", true],
  ["addCallSessionId", "Session id", false],
  ["addRingCentralUserName", "RingCentral user name", false],
  ["addRingCentralNumber", "RingCentral number", false],
  ["addCallLogSubject", "Subject", true],
  ["addCallLogContactNumber", "Contact's number", false],
  ["addCallLogDateTime", "Date and time", true],
  ["addCallLogDuration", "Duration", true],
  ["addCallLogResult", "Result", true],
  ["addCallLogRecording", "Link to the recording", true],
];

export async function showSettings(view) {
  const body = h("div", { "aria-live": "polite" });
  await loadSettings();
  const saved = async (id, value, name) => {
    const reply = await saveSetting(id, value);
    if (!tellReply(reply, `Saved: ${name}.`)) return;
    await showEffect(body, id, value);
  };
  fill(
    view,
    h("h3", {}, "Settings"),
    h(
      "fieldset",
      {},
      h("legend", {}, "What stands in the log of a call"),
      LINES.map(([id, name, otherwise]) => toggle({ id, name, defaultValue: otherwise }, saved)),
    ),
    (platform().settings ?? [])
      .filter((section) => section.items?.length)
      .map((section) =>
        h(
          "fieldset",
          {},
          h("legend", {}, section.name),
          section.items.map((item) => control(item, saved)),
        ),
      ),
    h("h4", {}, "The log with these settings"),
    body,
  );
  showEffect(body);
}

function toggle(item, saved) {
  const input = h("input", {
    type: "checkbox",
    checked: Boolean(settingOf(item.id, item.defaultValue)),
    disabled: entryOf(item.id)?.customizable === false,
    onchange: () => saved(item.id, input.checked, item.name),
  });
  return ticked(item.name, input, item.description);
}

function control(item, saved) {
  if (item.type === "warning") return h("p", { class: "hint" }, item.value);
  if (item.type === "boolean") return toggle(item, saved);
  const locked = entryOf(item.id)?.customizable === false;
  const value = settingOf(item.id, item.defaultValue ?? "");
  if (item.type === "option") {
    const options = entryOf(item.id)?.options ?? item.options ?? [];
    const select = h(
      "select",
      { disabled: locked, onchange: () => saved(item.id, options[select.value].id, item.name) },
      options.map((option, index) =>
        h("option", { value: index, selected: String(option.id) === String(value) }, option.name),
      ),
    );
    return labelled(item.name, select, item.description);
  }
  const input = h("input", {
    type: "text",
    value: value ?? "",
    disabled: locked,
    onchange: () => saved(item.id, input.value.trim(), item.name),
  });
  return labelled(item.name, input, item.description);
}

const lastLogged = () => list().find((call) => call.state === "logged" && call.contact);

/** Writes the last logged call anew with the settings of now, and shows what the CRM has then. */
async function showEffect(place, id, value) {
  const call = lastLogged();
  if (!call)
    return fill(
      place,
      h("p", { class: "quiet" }, "Log a call first; then each change shows here what it does to the log."),
    );
  if (id) await editLog(call, { note: call.note, ...(call.subject ? { subject: call.subject } : {}) });
  const { log } = await readLog(call);
  fill(
    place,
    log && h("pre", { class: "body", tabindex: "0", "aria-label": "Body of the log" }, log.fullBody || "(empty)"),
    id &&
      value === false &&
      h(
        "p",
        { class: "hint" },
        "A line that a log has already stays in it: nothing is deleted from the CRM's records. " +
          "The next log is written without it.",
      ),
    busyButton("Log such a call again", () => logAgain(place, call)),
  );
}

async function logAgain(place, like) {
  const call = ring(like.direction, like.number);
  answer(call);
  hangUp(call);
  change(call, { contact: like.contact, fields: like.fields, note: like.note, recorded: like.recorded });
  const reply = await logCall(call);
  if (!tellReply(reply)) return tell(call.message || "Not logged.", "error");
  await showEffect(place);
}
