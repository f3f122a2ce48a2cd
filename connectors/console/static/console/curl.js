// The command that sends a request of the page again from a terminal, with $JWT in place of the token.

import { quoted } from "./hiding.js";

/** `exchange`: method, target and body with secrets marked, and whether the token went along. */
export function curl({ method, target, body, hasToken }) {
  const lines = [`curl${method === "GET" ? "" : ` -X ${method}`} ${quoted(location.origin + target)}`];
  if (hasToken) lines.push(`-H "Authorization: Bearer $JWT"`);
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  return lines.join(" \\\n  ");
}
