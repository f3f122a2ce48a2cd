// Tells the visitor what the server answered, as the extension's own notices do; read aloud by screen readers.

import { byId, fill, h } from "./dom.js";

/** `level`: success, warning or error. `lines`: what stands below. */
export function tell(text, level = "success", lines = []) {
  const list = lines.length
    ? h(
        "ul",
        {},
        lines.map((line) => h("li", {}, line)),
      )
    : null;
  fill(byId("notices"), text ? h("div", { class: `notice ${level}` }, h("p", {}, text), list) : null);
}

export const clear = () => tell("");

/** Shows a reply's `returnMessage`, or the plain text of a refusal; whether the request succeeded. */
export function tellReply(reply, done = "") {
  const message = reply.data?.returnMessage ?? (reply.data?.messageType ? reply.data : null);
  const succeeded = reply.ok && reply.data?.successful !== false;
  if (message?.message) tell(message.message, message.messageType, linesOf(message));
  else if (!succeeded) tell(reply.data ? "The server refused this." : reply.text, "error");
  else if (done) tell(done);
  return succeeded;
}

export const linesOf = (message) => (message.details ?? []).flatMap((part) => part.items.map((item) => item.text));
