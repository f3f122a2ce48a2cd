// A conversation of texts, with a picture where one is wanted, and its log.

import { send } from "./api.js";
import { OWN_NUMBER } from "./calls.js";
import { showPeople } from "./contacts.js";
import { busyButton, button, fill, focusOn, h, labelled, ticked } from "./dom.js";
import { manifestFields } from "./fields.js";
import { tellReply } from "./notices.js";
import { platform, sandbox } from "./platforms.js";
import { platformName, remember, remembered } from "./session.js";
import { formats } from "./settings_values.js";

const PICTURE = "https://media.ringcentral.com/restapi/v1.0/account/1/extension/1/message-store/1/content/2";

export function showTexts(view) {
  const conversation = remembered("conversation", null);
  if (conversation) showConversation(view, conversation);
  else showBeginning(view);
}

function showBeginning(view) {
  const number = h("input", { type: "tel", autocomplete: "off", value: sandbox(platformName()) ? "+16505551212" : "" });
  const begin = (event) => {
    event.preventDefault();
    const id = `console-${Date.now()}`;
    const conversation = { id, number: number.value.trim(), messages: [], contact: null, logged: 0 };
    remember("conversation", conversation);
    showConversation(view, conversation, true);
  };
  fill(
    view,
    h("h3", {}, "Begin a conversation"),
    h(
      "form",
      { onsubmit: begin },
      labelled("Number of the other side", number),
      h("button", { class: "primary" }, "Begin"),
    ),
  );
}

function showConversation(view, conversation, isNew = false) {
  const heading = h("h3", {}, `Texts with ${conversation.number}`);
  const messages = h("ol", { class: "texts", "aria-label": "Texts" });
  const people = h("div");
  const log = h("div", { class: "log" });
  const draw = () =>
    fill(
      messages,
      conversation.messages.map((message) =>
        h(
          "li",
          { class: message.direction.toLowerCase() },
          h("p", {}, message.subject, message.picture && " [picture]"),
          h(
            "p",
            { class: "quiet" },
            `${message.direction === "Inbound" ? "received" : "sent"} ${new Date(message.at).toLocaleTimeString()}`,
          ),
        ),
      ),
    );
  draw();
  fill(
    view,
    heading,
    messages,
    writer(conversation, draw),
    people,
    log,
    h(
      "p",
      {},
      button(
        "Another conversation",
        () => {
          remember("conversation", null);
          showBeginning(view);
          focusOn(view.querySelector("h3"));
        },
        { class: "link" },
      ),
    ),
  );
  showPeople(people, {
    number: conversation.number,
    chosen: conversation.contact,
    onChosen: (contact) => {
      conversation.contact = contact;
      remember("conversation", conversation);
      showLog(log, conversation);
    },
  });
  if (isNew) focusOn(heading);
}

function writer(conversation, draw) {
  const text = h("input", { type: "text", autocomplete: "off" });
  const picture = h("input", { type: "checkbox" });
  const add = (direction) => {
    if (!text.value.trim() && !picture.checked) return text.focus();
    conversation.messages.push({
      id: Date.now(),
      direction,
      subject: text.value.trim(),
      picture: picture.checked,
      at: new Date().toISOString(),
    });
    remember("conversation", conversation);
    text.value = "";
    picture.checked = false;
    draw();
    text.focus();
  };
  const submit = (event) => {
    event.preventDefault();
    add("Inbound");
  };
  return h(
    "form",
    { onsubmit: submit },
    labelled("Text", text),
    ticked("With a picture", picture),
    h(
      "div",
      { class: "row" },
      h("button", {}, "Receive it"),
      button("Send it", () => add("Outbound")),
    ),
  );
}

function showLog(place, conversation) {
  const fields = manifestFields(platform().page?.messageLog?.additionalFields ?? [], {
    contact: conversation.contact,
    purpose: "message",
  });
  const log = async () => {
    const reply = await send("POST", "/messageLog", { body: bodyOf(conversation, fields.values()) });
    if (tellReply(reply, "Nothing new to log: every text is logged once.")) remember("conversation", conversation);
  };
  fill(
    place,
    h("h4", {}, `Log for ${conversation.contact.name}`),
    fields.element,
    h("p", { class: "hint" }, "Only texts that are new are written; those of one day go into one record."),
    busyButton("Log the conversation", log, { class: "primary" }),
  );
}

/** `POST /messageLog`, with the messages newest first, as the extension sends them. */
function bodyOf({ id, number, messages, contact }, additionalSubmission) {
  const day = new Date().toISOString().slice(0, 10);
  const other = { phoneNumber: number };
  const self = { phoneNumber: OWN_NUMBER };
  return {
    logInfo: {
      conversationId: id,
      conversationLogId: `${id}/${day}`,
      type: "SMS",
      correspondents: [{ phoneNumber: number, name: contact.name }],
      messages: messages
        .map((message) => {
          const [from, to] = message.direction === "Inbound" ? [other, self] : [self, other];
          const media = { id: message.id + 1, type: "MmsAttachment", contentType: "image/png", uri: PICTURE };
          const attachments = [
            { id: message.id, type: "Text", contentType: "text/plain" },
            ...(message.picture ? [media] : []),
          ];
          return {
            id: message.id,
            type: "SMS",
            direction: message.direction,
            subject: message.subject,
            creationTime: message.at,
            from,
            to: [to],
            attachments,
            messageStatus: message.direction === "Inbound" ? "Received" : "Sent",
          };
        })
        .reverse(),
    },
    additionalSubmission,
    overridingFormat: formats(),
    contactId: contact.id,
    contactType: contact.type ?? "",
    contactName: contact.name,
  };
}
