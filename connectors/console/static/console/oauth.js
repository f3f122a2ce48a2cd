// The way to a vendor's sign-in page and back, in this tab where the vendor may lead back here.

import { send } from "./api.js";
import { keep } from "./exchanges.js";
import { tell } from "./notices.js";
import { remember, remembered } from "./session.js";

/** Opens the vendor's page. `here`: its application is registered with this page's own address. */
export function leaveFor(chosen, hostname, here) {
  const { authUrl, clientId, scope, customState, redirectUri } = chosen.auth.oauth;
  const nonce = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const plain = customState || `platform=${chosen.name}`;
  const state = here ? `${plain}&nonce=${nonce}` : plain;
  const back = here
    ? `${location.origin}/`
    : redirectUri || "https://ringcentral.github.io/ringcentral-embeddable/redirect.html";
  const address =
    `${authUrl}?response_type=code&client_id=${encodeURIComponent(clientId)}${scope ? `&${scope}` : ""}` +
    `&state=${encodeURIComponent(state)}&redirect_uri=${encodeURIComponent(back)}`;
  if (!here) {
    window.open(address, "_blank", "noopener,noreferrer");
    return;
  }
  remember("leaving", { nonce, platform: chosen.name, hostname });
  keep();
  location.assign(address);
}

/** Where this page was opened by a vendor's page; null otherwise, and where nobody left from here. */
export function returned() {
  const query = new URLSearchParams(location.search);
  if (!query.get("code") && !query.get("error")) return null;
  const address = location.href;
  const leaving = remembered("leaving", null);
  const nonce = new URLSearchParams(query.get("state") ?? "").get("nonce");
  remember("leaving", null);
  history.replaceState(null, "", location.pathname);
  if (!leaving || nonce !== leaving.nonce) {
    tell("This login was not begun in this tab, so it was not used. Please begin again.", "warning");
    return null;
  }
  return { ...leaving, address };
}

/** Exchanges the code in an address for a token, as the extension does. */
export async function replyOf(address, hostname) {
  return send("GET", "/oauth-callback", { query: { callbackUri: address, ...(hostname ? { hostname } : {}) } });
}
