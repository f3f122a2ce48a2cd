// Puts the page together: who is connected, the extension's pages, and what stands beside them.

import { events, send } from "./api.js";
import { showCalls } from "./call_view.js";
import { changes, forgetCalls, list, refreshStates } from "./calls.js";
import { busyButton, button, byId, fill, focusOn, h } from "./dom.js";
import { start as startExchanges } from "./exchanges.js";
import { finishReturn, showChoice } from "./login.js";
import { tell, tellReply } from "./notices.js";
import { returned } from "./oauth.js";
import { load, platform } from "./platforms.js";
import { disconnect, isConnected, remembered } from "./session.js";
import { loadSettings } from "./settings_values.js";

/** Name and function of each page; the function shows it in an element. */
const PAGES = [["Call", showCalls]];
const view = byId("view");

function show(name) {
  const page = PAGES.find(([title]) => title === name);
  fill(byId("tabs"), PAGES.map(([title]) =>
    button(title, () => show(title), { "aria-current": title === name ? "page" : null })));
  page[1](view);
}

function showSession() {
  const connected = isConnected();
  byId("tabs").hidden = !connected;
  fill(byId("session"), connected
    ? [h("p", {}, h("strong", {}, platform()?.displayName ?? ""), ` · ${remembered("name", "")} `,
      busyButton("Log out", logOut, { class: "small" }))]
    : h("p", { class: "quiet" }, "Nobody is connected."));
}

async function onConnected() {
  events.dispatchEvent(new Event("connected"));
  showSession();
  await loadSettings();
  show("Call");
  focusOn(view.querySelector("h3"));
}

async function logOut() {
  const reply = await send("POST", "/unAuthorize");
  leave();
  tellReply(reply);
}

function leave() {
  disconnect();
  forgetCalls();
  events.dispatchEvent(new Event("disconnected"));
  showSession();
  focusOn(showChoice(view, onConnected));
}

/** While something waits, asks now and then whether it has arrived. */
async function watch() {
  const waiting = list().filter((call) => call.state === "waiting").slice(0, 5);
  if (isConnected() && waiting.length && !document.hidden) await refreshStates(waiting, { repeats: true });
  setTimeout(watch, 2000);
}

changes.addEventListener("changed", ({ detail: call }) => {
  if (call.wasWaiting && !call.wasTold) {
    call.wasTold = true;
    tell(`Delivered: the call with ${call.contact?.name || call.number} is in the CRM now.`);
    if (byId("tabs").querySelector("[aria-current]")?.textContent === "Call") showCalls(view);
  }
});
events.addEventListener("ended", () => {
  leave();
  tell("The CRM has ended this login. Please log in again; what was saved is sent then.", "warning");
});

async function begin() {
  startExchanges();
  const back = returned();
  const reply = await load();
  if (!reply.ok) tell(reply.text || "The manifest could not be read.", "error");
  showSession();
  if (back) {
    showChoice(view, onConnected);
    await finishReturn(back, onConnected);
  } else if (isConnected() && platform()) {
    await loadSettings();
    show("Call");
  } else showChoice(view, onConnected);
  document.body.dataset.ready = "yes";
  watch();
}

begin();
