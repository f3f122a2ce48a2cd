// The calls of this tab: what a telephone would know of each, and what became of its log.

import { send } from "./api.js";
import { linesOf } from "./notices.js";
import { remember, remembered } from "./session.js";
import { formats } from "./settings_values.js";

export const OWN_NUMBER = "+16505550100";
/** "changed" whenever a call is another than before. */
export const changes = new EventTarget();
const changed = (call) => {
  remember("calls", list());
  changes.dispatchEvent(new CustomEvent("changed", { detail: call }));
};

let calls = remembered("calls", []);
export const list = () => calls;
export const forgetCalls = () => void (calls = []);

/** A call that begins to ring. `direction`: Inbound or Outbound; `number`: "" where the caller withholds it. */
export function ring(direction, number) {
  const digits = String(crypto.getRandomValues(new Uint32Array(1))[0]).padStart(10, "0");
  const call = {
    sessionId: `${Date.now()}${digits.slice(0, 3)}`,
    direction,
    number,
    startTime: new Date().toISOString(),
    phase: "ringing",
    duration: 0,
    state: "not logged",
    note: "",
    fields: {},
    contact: null,
  };
  calls = [call, ...calls].slice(0, 20);
  changed(call);
  return call;
}

export function change(call, members) {
  Object.assign(call, members);
  changed(call);
}

export function answer(call) {
  change(call, { phase: "connected", answeredAt: Date.now() });
}

/** Ends a call: a talk with its length, or one that nobody took. */
export function hangUp(call) {
  if (call.phase === "ended") return;
  const talked = call.phase === "connected";
  const duration = talked ? Math.max(1, Math.round((Date.now() - call.answeredAt) / 1000)) : 0;
  const result = talked
    ? call.direction === "Inbound"
      ? "Accepted"
      : "Call connected"
    : call.direction === "Inbound"
      ? "Missed"
      : "Hang Up";
  change(call, { phase: "ended", duration, result });
}

export const subjectOf = (call) =>
  `${call.direction === "Inbound" ? "Inbound Call from" : "Outbound Call to"} ${call.contact?.name || call.number || "unknown"}`;

const parties = (call) => {
  const other = { phoneNumber: call.number, name: call.contact?.name };
  const self = { phoneNumber: OWN_NUMBER, name: "Agent Kim", extensionNumber: "101" };
  return call.direction === "Inbound" ? { from: other, to: self } : { from: self, to: other };
};

/** `POST /callLog`, as the extension sends it after a call. */
export async function logCall(call) {
  const { sessionId, startTime, duration, direction, result, contact } = call;
  const recording = call.recorded
    ? { recording: { link: `https://media.ringcentral.com/restapi/recording/${sessionId}` } }
    : {};
  const reply = await send("POST", "/callLog", {
    body: {
      logInfo: {
        id: `id-${sessionId}`,
        sessionId,
        telephonySessionId: `s-${sessionId}`,
        startTime,
        duration,
        type: "Voice",
        direction,
        result,
        ...parties(call),
        ...recording,
        customSubject: call.subject || subjectOf(call),
      },
      note: call.note,
      additionalSubmission: call.fields,
      overridingFormat: formats(),
      contactId: contact?.id ?? null,
      contactType: contact?.type ?? "",
      contactName: contact?.name ?? "",
    },
  });
  const message = reply.data?.returnMessage?.message ?? (reply.data ? "" : reply.text);
  const succeeded = reply.ok && reply.data?.successful;
  const isThere = succeeded && reply.data.logId !== undefined && reply.data.logId !== "";
  change(call, {
    state: isThere ? "logged" : succeeded || isKept(reply) ? "waiting" : "refused",
    logId: reply.data?.logId ?? call.logId,
    message,
    requestId: reply.headers?.get("X-Request-Id"),
  });
  return reply;
}

/** Whether a call is kept although the reply is an error: the login is over, and a new one sends it. */
const isKept = (reply) => linesOf(reply.data?.returnMessage ?? {}).some((line) => line.includes("Call log saved."));

/** `PATCH /callLog`, with all that the extension knows of the call, so that its lines are written anew. */
export async function editLog(call, members) {
  const { sessionId, startTime, duration, direction, result } = call;
  const link = call.recorded ? { recordingLink: `https://media.ringcentral.com/restapi/recording/${sessionId}` } : {};
  return send("PATCH", "/callLog", {
    body: { sessionId, startTime, duration, direction, result, ...parties(call), ...link, ...members },
  });
}

/** `PUT /callDisposition`, after the log is there. */
export const dispose = (call, dispositions) =>
  send("PUT", "/callDisposition", { body: { sessionId: call.sessionId, dispositions } });

/** The log as the CRM has it now: subject, note, body, dispositions; null where there is none. */
export async function readLog(call) {
  const reply = await send("GET", "/callLog", { query: { sessionIds: call.sessionId, requireDetails: "true" } });
  const row = reply.data?.logs?.[0];
  if (row?.matched) change(call, { state: "logged", logId: row.logId });
  return { reply, log: row?.logData ?? null };
}

/** Asks which of the calls are in the CRM by now. `repeats`: by itself, not for the visitor. */
export async function refreshStates(which, { repeats = false } = {}) {
  if (!which.length) return;
  const query = { sessionIds: which.map((call) => call.sessionId).join(","), requireDetails: "false" };
  const reply = await send("GET", "/callLog", { query, repeats });
  for (const row of reply.data?.logs ?? []) {
    const call = which.find((item) => item.sessionId === row.sessionId);
    if (!call) continue;
    if (row.matched && call.state !== "logged")
      change(call, { state: "logged", logId: row.logId, wasWaiting: call.state === "waiting" });
    else if (!row.matched && call.state === "logged") change(call, { state: "not logged" });
  }
}
