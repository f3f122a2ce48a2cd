// The list of requests and replies, with the requests to the CRM behind each; nothing secret is in it.

import { ask, events } from "./api.js";
import { curl } from "./curl.js";
import { busyButton, byId, button, fill, h } from "./dom.js";
import { readable } from "./hiding.js";
import { isConnected, remember, remembered, token } from "./session.js";

const MOST = 200;
let number = 0;
let last = null;
const shown = [];

export function start() {
  for (const exchange of remembered("exchanges", [])) add(exchange);
  remember("exchanges", undefined);
  events.addEventListener("exchange", ({ detail }) => add(detail));
  events.addEventListener("connected", () => last && lookBehind(last));
  fill(
    byId("exchange-tools"),
    busyButton("Copy the token as JWT=…", (event) => copyToken(event), { class: "small" }),
    button("Empty the list", empty, { class: "small" }),
    h("span", { id: "copied", role: "status" }),
  );
}

/** Keeps the list over a visit to another site. */
export const keep = () =>
  remember(
    "exchanges",
    shown.slice(-20).map(({ exchange }) => exchange),
  );

function empty() {
  shown.length = 0;
  last = null;
  byId("exchange-list").replaceChildren();
  byId("exchange-none").hidden = false;
}

async function copyToken() {
  await copy(token() ? `JWT='${token()}'` : "", token() ? "Copied: paste it into your terminal." : "Log in first.");
}

export async function copy(text, done = "Copied.") {
  const copied = byId("copied");
  const worked =
    text === "" ||
    (await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    ));
  copied.textContent = worked ? done : "The browser does not allow copying; select the text instead.";
}

function add(exchange) {
  byId("exchange-none").hidden = true;
  if (
    exchange.repeats &&
    last?.exchange.repeats &&
    last.exchange.target === exchange.target &&
    last.exchange.status === exchange.status
  ) {
    last.times += 1;
    last.exchange = exchange;
    last.count.textContent = ` × ${last.times}`;
    fill(last.inside, contents(last));
    return;
  }
  const calls = h("div", {}, h("p", { class: "quiet" }, "Only somebody who is logged in is told."));
  const entry = {
    number: ++number,
    exchange,
    times: 1,
    count: h("span", { class: "quiet" }),
    calls,
    inside: h("div", { class: "exchange" }),
  };
  entry.crm = h("span", { class: "crm-count quiet" });
  const path = readable(exchange.target).split("?")[0];
  entry.element = h(
    "li",
    { value: entry.number },
    h(
      "details",
      { ontoggle: ({ target }) => target.open && lookBehind(entry) },
      h(
        "summary",
        {},
        h("span", { class: "method" }, exchange.method),
        " ",
        h("span", { class: "path" }, path),
        " ",
        h(
          "span",
          { class: `status ${exchange.status >= 200 && exchange.status < 300 ? "good" : "bad"}` },
          exchange.status || "no reply",
        ),
        exchange.reply?.successful === false && h("span", { class: "status bad" }, " not successful"),
        " ",
        h("span", { class: "quiet" }, `${exchange.milliseconds} ms`),
        " ",
        entry.crm,
        entry.count,
      ),
      entry.inside,
    ),
  );
  fill(entry.inside, contents(entry));
  byId("exchange-list").prepend(entry.element);
  shown.push(entry);
  if (shown.length > MOST) shown.shift().element.remove();
  last = entry;
  if (!exchange.repeats) lookBehind(entry);
}

function contents(entry) {
  const { exchange } = entry;
  const command = curl(exchange);
  const text = (value) => readable(typeof value === "string" ? value : JSON.stringify(value, null, 2));
  return [
    h(
      "p",
      { class: "quiet" },
      `${new Date(exchange.at).toLocaleTimeString()} · request id ${exchange.requestId || "none"}`,
    ),
    h("h4", {}, "Request"),
    h("pre", { tabindex: "0", "aria-label": "Request as curl" }, command),
    h(
      "p",
      {},
      button("Copy as curl", () => copy(command), { class: "small" }),
    ),
    h("h4", {}, "Requests to the CRM"),
    entry.calls,
    h("h4", {}, `Reply: ${exchange.status || "none"}`),
    h("pre", { tabindex: "0", "aria-label": "Reply" }, text(exchange.reply) || "(empty)"),
  ];
}

/** Asks for the CRM calls of a request; again whenever it is opened, since a worker may have gone on with it. */
async function lookBehind(entry) {
  if (!entry.exchange.requestId || entry.exchange.endsLogin || !isConnected()) return;
  const { data } = await ask(`crm-calls?request=${encodeURIComponent(entry.exchange.requestId)}`);
  const found = data?.events ?? [];
  const calls = found.reduce((sum, event) => sum + event.crmCalls, 0);
  entry.crm.textContent = calls === 0 ? "" : calls === 1 ? "· 1 CRM call" : `· ${calls} CRM calls`;
  fill(
    entry.calls,
    calls === 0
      ? h("p", { class: "quiet" }, "None.")
      : h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["For", "Request", "Status", "Time"].map((text) => h("th", { scope: "col" }, text)),
            ),
          ),
          h(
            "tbody",
            {},
            found.flatMap((event) =>
              event.requests.map((call) =>
                h(
                  "tr",
                  {},
                  h("td", {}, `${event.action}${event.byWorker ? ", later by the worker" : ""}`),
                  h("td", {}, h("code", {}, `${call.method} ${call.path}`)),
                  h("td", {}, call.status || "no answer"),
                  h("td", {}, `${call.milliseconds} ms`),
                ),
              ),
            ),
          ),
        ),
  );
}
