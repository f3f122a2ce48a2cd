// The sandbox CRM's records as they change: the last one whole, with what is new in it marked.

import { ask, events } from "./api.js";
import { list } from "./calls.js";
import { byId, fill, h } from "./dom.js";
import { facts, sandbox } from "./platforms.js";
import { isConnected, platformName } from "./session.js";
import { hideSwitches, showOrdered } from "./trouble.js";

const EVERY = 2500; // milliseconds
/** So long after the last request something may still change; while calls wait, longer. */
const RESTLESS = 20_000;
let busyUntil = 0;
let seen = new Map();
let drawn = "";
let asking = false;

export function start() {
  const lookNow = () => {
    busyUntil = Date.now() + RESTLESS;
    look();
  };
  events.addEventListener("exchange", ({ detail }) => !detail.repeats && !detail.endsLogin && lookNow());
  for (const name of ["connected", "ordered"]) events.addEventListener(name, lookNow);
  events.addEventListener("disconnected", () => {
    seen = new Map();
    drawn = "";
    byId("record").hidden = true;
  });
  const mayChange = () => Date.now() < busyUntil || list().some((call) => call.state === "waiting");
  setInterval(() => !document.hidden && mayChange() && look(), EVERY);
}

async function look() {
  if (asking || !isConnected() || !sandbox(platformName())) return;
  asking = true;
  const { ok, status, data, error } = await ask("sandbox").finally(() => void (asking = false));
  if (!isConnected()) return;
  if (status === 404) return hideSwitches();
  if (ok) showOrdered(data.trouble);
  draw(ok ? data.activities : null, error);
}

function draw(activities, error) {
  const text = JSON.stringify(activities ?? error);
  if (text === drawn) return;
  drawn = text;
  const place = byId("record");
  place.hidden = false;
  const [last, ...others] = activities ?? [];
  const changed = last && seen.get(last.id) !== JSON.stringify(last);
  fill(
    place,
    h("h2", { id: "record-title" }, "The sandbox CRM's records"),
    error && h("p", { class: "notice warning" }, error),
    !error && !last && h("p", { class: "quiet" }, "There is nothing in the CRM yet."),
    last && record(last),
    others.length > 0 &&
      h(
        "details",
        {},
        h("summary", {}, `${others.length} earlier`),
        others.map((row) => record(row)),
      ),
    h("p", { class: "unseen", role: "status" }, changed && seen.size ? `The record ${last.subject} has changed.` : ""),
  );
  for (const row of activities ?? []) seen.set(row.id, JSON.stringify(row));
}

function record(row) {
  const before = seen.get(row.id);
  const known = new Set(before ? (JSON.parse(before).body ?? "").split("\n") : []);
  const lines = (row.body ?? "").split("\n").map((line, index) => {
    const isNew = seen.size > 0 && line.trim() && !known.has(line);
    return [index ? "\n" : "", isNew ? h("ins", {}, line) : line];
  });
  const values = [
    row.kind,
    row.direction,
    row.duration_seconds === null ? "" : `${row.duration_seconds} s`,
    row.disposition,
    row.deal_id && `deal ${row.deal_id}`,
    row.address,
    row.contact_name ? `with ${row.contact_name}` : "with nobody",
  ];
  return h(
    "article",
    {},
    h(
      "p",
      {},
      h(
        "a",
        {
          href: `${facts.sandboxUrls[0]}/activities/${encodeURIComponent(row.id)}`,
          target: "_blank",
          rel: "noopener noreferrer",
        },
        row.subject || row.id,
      ),
    ),
    h("p", { class: "quiet" }, values.filter(Boolean).join(" · ")),
    row.body && h("pre", { tabindex: "0", "aria-label": "Body of the record" }, lines),
  );
}
