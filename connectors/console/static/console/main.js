// Puts the page together: who is connected, the extension's pages, and what stands beside them.

import { events, send } from "./api.js";
import { currentCall, forgetCurrent, refreshLog, showCalls } from "./call_view.js";
import { changes, forgetCalls, list, refreshStates } from "./calls.js";
import { showCallbacks } from "./callbacks.js";
import { busyButton, button, byId, fill, focusOn, h } from "./dom.js";
import { start as startExchanges } from "./exchanges.js";
import { finishReturn, showChoice, showLogin } from "./login.js";
import { clear, tell, tellReply } from "./notices.js";
import { returned } from "./oauth.js";
import { load, platform } from "./platforms.js";
import { showRecent } from "./recent.js";
import { start as startRecord } from "./record.js";
import { disconnect, isConnected, platformName, remember, remembered } from "./session.js";
import { showSettings } from "./settings.js";
import { loadSettings } from "./settings_values.js";
import { showTexts } from "./texts.js";
import { start as startTrouble } from "./trouble.js";

const view = byId("view");
/** Name and function of each page; the function shows it in an element. */
const PAGES = [
  ["Call", showCalls],
  ["Texts", showTexts],
  [
    "Recent",
    (place) =>
      showRecent(place, () => {
        mark("Call");
        return place;
      }),
  ],
  ["Callbacks", showCallbacks],
  ["Settings", showSettings],
];

/** Says which page is shown. */
function mark(name) {
  for (const tab of byId("tabs").children) {
    if (tab.textContent === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

function show(name) {
  mark(name);
  PAGES.find(([title]) => title === name)[1](view);
}

function showSession() {
  const connected = isConnected();
  byId("tabs").hidden = !connected;
  fill(
    byId("session"),
    connected
      ? [
          h("p", {}, h("strong", {}, platform()?.displayName ?? ""), ` · ${remembered("name", "")} `),
          h(
            "div",
            { class: "row" },
            button("Log in again", again, { class: "small" }),
            busyButton("Log out", logOut, { class: "small" }),
          ),
        ]
      : h("p", { class: "quiet" }, "Nobody is connected."),
  );
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
  forgetCurrent();
  events.dispatchEvent(new Event("disconnected"));
  showSession();
  focusOn(showChoice(view, onConnected));
}

/** The form of the CRM once more: what was done in this tab stays, since what waits is sent after the login. */
const again = () => showLogin(view, platformName(), onConnected);

/** While something waits, asks now and then whether it has arrived. */
async function watch() {
  const waiting = list()
    .filter((call) => call.state === "waiting")
    .slice(0, 5);
  if (isConnected() && waiting.length && !document.hidden) await refreshStates(waiting, { repeats: true });
  setTimeout(watch, 2000);
}

changes.addEventListener("changed", ({ detail: call }) => {
  if (call.wasWaiting && !call.wasTold) {
    call.wasTold = true;
    tell(`Delivered: the call with ${call.contact?.name || call.number} is in the CRM now.`);
    if (currentCall() === call) refreshLog();
  }
});
events.addEventListener("ended", () => {
  remember("token", "");
  events.dispatchEvent(new Event("disconnected"));
  showSession();
  again();
  tell("The CRM has ended this login. Please log in again; what was saved is sent then.", "warning");
});

async function begin() {
  startExchanges();
  startTrouble();
  startRecord();
  fill(
    byId("tabs"),
    PAGES.map(([title]) =>
      button(title, () => {
        clear();
        show(title);
      }),
    ),
  );
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
