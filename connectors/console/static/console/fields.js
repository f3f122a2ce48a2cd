// The fields that a CRM's manifest adds to the forms of calls, messages and new contacts.

import { h, labelled, ticked } from "./dom.js";
import { settingOf } from "./settings_values.js";

const NONE = "none";

/**
 * Controls for `fields`, with choices out of the contact's `additionalInfo`; `values()` is the `additionalSubmission`.
 * `purpose`: inboundCall, outboundCall, message ... for the defaults that the user has set. `given`: values to begin with.
 */
export function manifestFields(fields, { contact, purpose = "", given = {}, contactType = "" }) {
  const controls = new Map();
  const rows = fields.map((field) => {
    const made = row(field, { contact, purpose, given, contactType });
    if (made?.read) controls.set(field.const, made.read);
    return made?.element;
  });
  return {
    element: h("div", {}, rows),
    values: () =>
      Object.fromEntries(
        [...controls].map(([name, read]) => [name, read()]).filter(([, value]) => value !== NONE && value !== ""),
      ),
  };
}

function row(field, context) {
  if (field.type === "warning") return { element: h("p", { class: "hint" }, field.description ?? field.title) };
  const begin = context.given[field.const] ?? defaultOf(field, context.purpose);
  if (field.type === "checkbox") {
    const control = h("input", { type: "checkbox", checked: Boolean(begin) });
    return { element: ticked(field.title, control, field.description), read: () => control.checked };
  }
  if (field.type === "inputField") {
    const control = h("input", {
      type: "text",
      value: begin ?? "",
      required: Boolean(field.required),
      pattern: field.pattern,
    });
    return { element: labelled(field.title, control, field.description), read: () => control.value.trim() };
  }
  if (field.type !== "selection") return null;
  const info = context.contact?.additionalInfo ?? {};
  const choices =
    (field.contactTypeDependent ? info[context.contactType]?.[field.const] : info[field.const]) ?? field.options ?? [];
  if (!choices.length) return null;
  const offered = field.required ? choices : [{ const: NONE, title: "None" }, ...choices];
  const control = h(
    "select",
    {},
    offered.map((choice, index) =>
      h("option", { value: index, selected: String(choice.const) === String(begin) }, choice.title),
    ),
  );
  // Ids keep the CRM's own type, which the value of an option would lose.
  return { element: labelled(field.title, control, field.description), read: () => offered[control.value].const };
}

function defaultOf(field, purpose) {
  const setting = field.defaultSettingValues?.[purpose]?.settingId;
  return (setting && settingOf(setting)) ?? field.defaultValue;
}
