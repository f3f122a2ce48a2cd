// The CRMs that the server offers, out of its manifest, as the extension reads it.

import { send } from "./api.js";
import { byId } from "./dom.js";
import { platformName, remembered } from "./session.js";

export const facts = JSON.parse(byId("facts").textContent);
let manifest = { platforms: {} };

export async function load() {
  const reply = await send("GET", "/crmManifest");
  if (reply.data?.platforms) manifest = reply.data;
  return reply;
}

export const offered = () => Object.values(manifest.platforms);
export const sandbox = (name) => facts.sandboxes.find((item) => item.platform === name);

/** The platform chosen, or the one named, with what its manifest changes for a host. */
export function platform(name = platformName(), hostname = remembered("hostname", "")) {
  const found = manifest.platforms[name];
  if (!found) return null;
  const result = structuredClone(found);
  for (const override of found.override ?? []) {
    if (override.triggerType !== "hostname" || override.triggerValue !== hostname) continue;
    for (const { path, value } of override.overrideObjects) put(result, path.split("."), value);
  }
  return result;
}

function put(object, [first, ...rest], value) {
  if (!rest.length) object[first] = value;
  else put((object[first] ??= {}), rest, value);
}

/** The address of a page in the CRM; "" where the manifest has none. */
export function pageOf(template, values) {
  let address = template ?? "";
  const all = { hostname: remembered("hostname", ""), ...values };
  for (const [name, value] of Object.entries(all))
    address = address.replaceAll(`{${name}}`, encodeURIComponent(value ?? "").replaceAll("%3A", ":"));
  return /^https?:\/\//.test(address) ? address : "";
}
