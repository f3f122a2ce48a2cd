// The user's settings as the server has them, and what the manifest says where the user has none.

import { send } from "./api.js";
import { platform } from "./platforms.js";

let stored = {};

export async function loadSettings() {
  const reply = await send("GET", "/user/settings");
  if (reply.ok && reply.data) stored = reply.data;
}

/** Saves one value; the reply. */
export async function saveSetting(id, value) {
  const reply = await send("POST", "/user/settings", { body: { userSettings: { [id]: { value } } } });
  if (reply.ok && reply.data?.userSettings) stored = { ...stored, ...reply.data.userSettings };
  return reply;
}

export const entryOf = (id) => stored[id];

/** The value in force: the user's or administrator's, else the manifest's default. */
export function settingOf(id, otherwise) {
  if (stored[id]?.value !== undefined) return stored[id].value;
  const items = (platform()?.settings ?? []).flatMap((section) => section.items ?? []);
  return items.find((item) => item.id === id)?.defaultValue ?? otherwise;
}

/** The formats in which numbers are looked for besides, as the extension sends them. */
export const formats = () =>
  ["", "2", "3"].map((suffix) => settingOf(`overridingPhoneNumberFormat${suffix}`, "")).filter(Boolean);
