// Sends a request to the public API, as the extension would, and notes what came back.

import { hidden, hiddenTarget } from "./hiding.js";
import { remember, token } from "./session.js";

/** "exchange" after every reply; "ended" when the CRM has ended the login. */
export const events = new EventTarget();
const EXPIRED = "CRM_SESSION_REVOKED";

/**
 * The reply: `ok`, `status` (0: none came), `data` (parsed JSON, else null), `text`.
 * `repeats`: asked again and again; alike requests in a row are shown as one.
 */
export async function send(method, path, { query, body, repeats = false } = {}) {
  const target = path + (query ? `?${new URLSearchParams(query)}` : "");
  const headers = {};
  const hasToken = Boolean(token());
  if (hasToken) headers.Authorization = `Bearer ${token()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const at = new Date();
  const began = performance.now();
  const reply = await asked(target, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const renewed = reply.headers?.get("x-refreshed-jwt-token");
  if (renewed) remember("token", renewed);
  const exchange = {
    at: at.toISOString(),
    method,
    target: hiddenTarget(target),
    body: body === undefined ? undefined : hidden(body, path),
    hasToken,
    status: reply.status,
    milliseconds: Math.round(performance.now() - began),
    reply: reply.data === null ? reply.text : hidden(reply.data),
    requestId: reply.headers?.get("X-Request-Id") ?? "",
    repeats,
    endsLogin: path === "/unAuthorize",
  };
  events.dispatchEvent(new CustomEvent("exchange", { detail: exchange }));
  if (reply.status === 401 && reply.data?.errorCode === EXPIRED) events.dispatchEvent(new Event("ended"));
  return reply;
}

async function asked(target, options) {
  try {
    const reply = await fetch(target, { ...options, cache: "no-store" });
    const text = await reply.text();
    return { ok: reply.ok, status: reply.status, headers: reply.headers, text, data: parsed(text) };
  } catch {
    return { ok: false, status: 0, text: "The server did not answer. Is it still running?", data: null };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A route of the console itself; it is not part of the extension's API, so it is not listed. */
export async function ask(path, { method = "GET", body } = {}) {
  const headers = { Authorization: `Bearer ${token()}`, ...(body ? { "Content-Type": "application/json" } : {}) };
  const reply = await asked(`/console/${path}`, { method, headers, body: body && JSON.stringify(body) });
  return { ok: reply.ok, status: reply.status, data: reply.data, error: reply.data?.error ?? (reply.ok ? "" : reply.text) };
}
