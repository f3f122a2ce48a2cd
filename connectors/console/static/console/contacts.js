// Who is calling: the matches of a number, a search by name, and a new contact.

import { send } from "./api.js";
import { busyButton, button, fill, h, labelled } from "./dom.js";
import { manifestFields } from "./fields.js";
import { linesOf, tellReply } from "./notices.js";
import { pageOf, platform } from "./platforms.js";
import { remember, remembered } from "./session.js";
import { formats } from "./settings_values.js";

const isNew = (contact) => contact.isNewContact || contact.id === "createNewContact";

/**
 * `GET /contact`: those with the number, and what a new contact may have. Where the CRM cannot be asked, those whom it
 * found in this tab before, as the extension keeps them, too.
 */
export async function lookUp(number) {
  const query = { phoneNumber: number, overridingFormat: formats().join(","), isExtension: /^\d{2,6}$/.test(number) };
  const reply = await send("GET", "/contact", { query });
  const rows = reply.data?.contact ?? [];
  const failed = !reply.ok || reply.data?.successful === false;
  const matches = failed ? (remembered("people", {})[number] ?? []) : rows.filter((row) => !isNew(row));
  if (matches.length && !failed) remember("people", { ...remembered("people", {}), [number]: matches });
  return { reply, failed, matches, offer: rows.find(isNew) ?? null };
}

/**
 * Shows the people for a call or conversation. `onChosen(contact)` is called with the one it is to be logged for, at
 * once where there is only one.
 */
export async function showPeople(place, { number, chosen, onChosen }) {
  fill(place, h("p", { class: "quiet" }, "Looking up the number …"));
  const { reply, failed, matches, offer } = await lookUp(number);
  const message = reply.data?.returnMessage;
  const state = {
    known: matches,
    chosen: chosen ?? (matches.length === 1 ? matches[0] : null),
    offer,
    number,
    onChosen,
  };
  if (chosen && !matches.some((row) => row.id === chosen.id)) state.known = [...matches, chosen];
  const nobody =
    (failed || !matches.length) &&
    h(
      "div",
      { class: `notice ${failed ? "error" : "plain"}` },
      h("p", {}, message?.message ?? (failed ? reply.text : "Contact not found")),
      message && linesOf(message).map((line) => h("p", { class: "quiet" }, line)),
      failed &&
        h(
          "p",
          {},
          matches.length
            ? "Here is who was found before."
            : "Call a number that was found before the trouble began, or end the trouble and let it ring again.",
        ),
    );
  const list = h("div");
  fill(place, nobody, list, more(list, state));
  draw(list, state);
  if (state.chosen) onChosen(state.chosen);
}

function draw(list, state) {
  if (!state.known.length) return fill(list);
  const several = state.known.length > 1 && !state.chosen;
  fill(
    list,
    h(
      "fieldset",
      { class: "people" },
      h("legend", {}, several ? `${state.known.length} people have this number: choose one` : "Log for"),
      state.known.map((contact) => card(contact, state)),
    ),
  );
}

function card(contact, state) {
  const control = h("input", {
    type: "radio",
    name: "contact",
    checked: state.chosen?.id === contact.id,
    onchange: () => {
      state.chosen = contact;
      state.onChosen(contact);
    },
  });
  control.id = `contact-${contact.id}`;
  const facts = [contact.title, contact.company ?? contact.organization, contact.type, contact.phone]
    .filter(Boolean)
    .join(" · ");
  const associations = Object.values(contact.additionalInfo ?? {})
    .filter(Array.isArray)
    .flat()
    .map((choice) => choice.title)
    .filter(Boolean);
  const address = pageOf(platform()?.callPopUrl ?? platform()?.contactPageUrl, {
    contactId: contact.id,
    contactType: contact.type,
  });
  return h(
    "div",
    { class: "person" },
    control,
    h(
      "div",
      {},
      h("label", { for: control.id }, contact.name),
      h("p", { class: "quiet" }, facts),
      associations.length > 0 && h("p", {}, "Associations: ", associations.join(", ")),
      address && h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, "Open in the CRM"),
    ),
  );
}

function more(list, state) {
  const take = (contact) => {
    if (!state.known.some((row) => row.id === contact.id)) state.known = [...state.known, contact];
    state.chosen = contact;
    draw(list, state);
    state.onChosen(contact);
  };
  const results = h("div");
  const name = h("input", { type: "search", autocomplete: "off" });
  const search = async (event) => {
    event.preventDefault();
    const reply = await send("GET", "/custom/contact/search", { query: { name: name.value.trim() } });
    const found = (reply.data?.contact ?? []).filter((row) => !isNew(row));
    tellReply(reply);
    fill(
      results,
      h(
        "ul",
        { class: "choices" },
        found.map((row) =>
          h(
            "li",
            {},
            button(row.name, () => {
              fill(results);
              take(row);
            }),
            h("span", { class: "quiet" }, ` ${[row.title, row.company, row.phone].filter(Boolean).join(" · ")}`),
          ),
        ),
      ),
    );
  };
  return h(
    "div",
    {},
    h(
      "details",
      {},
      h("summary", {}, "Search by name"),
      h("form", { class: "row", onsubmit: search }, labelled("Name, or a part of it", name), h("button", {}, "Search")),
      results,
    ),
    h("details", { open: !state.known.length }, h("summary", {}, "Create a contact"), newContact(state, take)),
  );
}

function newContact(state, take) {
  const chosen = platform();
  const types = chosen.contactTypes ?? [];
  const name = h("input", { type: "text", autocomplete: "off" });
  const type =
    types.length > 1 &&
    h(
      "select",
      {},
      types.map((row) =>
        h("option", { value: row.value, selected: row.value === state.offer?.defaultContactType }, row.display),
      ),
    );
  const kind = () => (type ? type.value : (types[0]?.value ?? ""));
  const place = h("div");
  let fields;
  const redraw = () => {
    fields = manifestFields(chosen.page?.newContact?.additionalFields ?? [], {
      contact: state.offer,
      contactType: kind(),
    });
    fill(place, fields.element);
  };
  if (type) type.addEventListener("change", redraw);
  redraw();
  const create = async () => {
    const reply = await send("POST", "/contact", {
      body: {
        phoneNumber: state.number,
        newContactName: name.value.trim(),
        newContactType: kind(),
        additionalSubmission: fields.values(),
      },
    });
    if (!tellReply(reply) || reply.data.contact?.id === undefined) return;
    take({
      type: kind(),
      phone: state.number,
      ...reply.data.contact,
      name: reply.data.contact.name || name.value.trim(),
    });
  };
  return h(
    "div",
    {},
    labelled("Name of the new contact", name),
    type && labelled("Type", type),
    place,
    busyButton("Create", create),
  );
}
