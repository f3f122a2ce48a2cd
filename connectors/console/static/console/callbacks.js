// The call-down list: whom to call back, and when.

import { send } from "./api.js";
import { currentCall } from "./call_view.js";
import { busyButton, fill, focusOn, h, labelled } from "./dom.js";
import { tell, tellReply } from "./notices.js";
import { sandbox } from "./platforms.js";
import { platformName } from "./session.js";

export async function showCallbacks(view) {
  const list = h("div");
  fill(view, h("h3", {}, "Call-down list"), form(list), h("h4", {}, "To be called"), list);
  await draw(list);
}

function form(list) {
  const call = currentCall();
  const number = h("input", {
    type: "tel",
    autocomplete: "off",
    value: call?.number ?? (sandbox(platformName()) ? "+16505551212" : ""),
  });
  const name = h("input", { type: "text", autocomplete: "off", value: call?.contact?.name ?? "" });
  const soon = new Date(Date.now() + 3600_000 - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const when = h("input", { type: "datetime-local", value: soon });
  const note = h("input", { type: "text", autocomplete: "off" });
  const add = async () => {
    const scheduledAt = when.value ? new Date(when.value).toISOString() : null;
    const contact =
      call?.contact && number.value === call.number
        ? { contactId: call.contact.id, contactType: call.contact.type }
        : {};
    const body = {
      ...contact,
      contactName: name.value.trim(),
      phoneNumber: number.value.trim(),
      scheduledAt,
      note: note.value.trim(),
    };
    if (tellReply(await send("POST", "/calldown", { body }), "The callback is scheduled.")) await draw(list);
  };
  return h(
    "div",
    {},
    labelled("Number to call", number),
    labelled("Name", name),
    labelled("When", when),
    labelled("What for", note),
    busyButton("Schedule the callback", add, { class: "primary" }),
  );
}

async function draw(list) {
  const reply = await send("GET", "/calldown", { query: { status: "All" } });
  const items = reply.data?.items ?? [];
  const done = async (item) => {
    const body = { status: "called", lastCallAt: new Date().toISOString() };
    if (tellReply(await send("PATCH", `/calldown/${item.id}`, { body }), "Marked as called.")) await again(list);
  };
  const drop = async (item) => {
    if (tellReply(await send("DELETE", `/calldown/${item.id}`), "Deleted.")) await again(list);
  };
  if (!reply.ok) tell(reply.text, "error");
  fill(
    list,
    items.length
      ? h(
          "ul",
          { class: "choices" },
          items.map((item) =>
            h(
              "li",
              { class: "recent" },
              h("div", {}, h("strong", {}, item.contactName || item.phoneNumber), ` · ${item.status}`),
              h(
                "p",
                { class: "quiet" },
                [item.phoneNumber, item.scheduledAt && new Date(item.scheduledAt).toLocaleString(), item.note]
                  .filter(Boolean)
                  .join(" · "),
              ),
              h(
                "div",
                { class: "row" },
                item.status !== "called" && busyButton("Called", () => done(item), { class: "small" }),
                busyButton("Delete", () => drop(item), {
                  class: "small",
                  "aria-label": `Delete ${item.contactName || item.phoneNumber}`,
                }),
              ),
            ),
          ),
        )
      : h("p", { class: "quiet" }, "Nobody."),
  );
}

async function again(list) {
  await draw(list);
  focusOn(list);
}
