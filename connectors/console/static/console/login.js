// Choosing a CRM and logging in: by the form of its manifest, or on the vendor's own page and back.

import { send } from "./api.js";
import { busyButton, button, fill, focusOn, h, labelled } from "./dom.js";
import { clear, tell, tellReply } from "./notices.js";
import { leaveFor, replyOf } from "./oauth.js";
import { facts, offered, platform, sandbox } from "./platforms.js";
import { connect } from "./session.js";

const SUGGESTED = "switchboard-console-suggested-key";

/** The list of CRMs. `onConnected` is called after a login. */
export function showChoice(view, onConnected) {
  const heading = h("h3", {}, "Choose a CRM");
  const built = facts.sandboxes.map((row) => platform(row.platform, "")).filter(Boolean);
  const rows = [...built, ...offered().filter((row) => !sandbox(row.name))];
  fill(
    view,
    heading,
    h(
      "ul",
      { class: "choices" },
      rows.map((row) =>
        h(
          "li",
          {},
          button(row.displayName, () => showLogin(view, row.name, onConnected), {
            "data-platform": row.name,
            class: row === built[0] ? "primary" : "",
          }),
          sandbox(row.name) && h("span", { class: "quiet" }, " built in: any key will do"),
        ),
      ),
    ),
    facts.notSetUp.length > 0 && [
      h("h4", {}, "Not set up on this server"),
      h(
        "ul",
        { class: "plain" },
        facts.notSetUp.map((row) => h("li", {}, `${row.crm} lacks `, ...joined(row.missing), ".")),
      ),
      h(
        "p",
        { class: "hint" },
        "Put these into .env and start the server anew; the CRM's page in docs/ tells where they come from.",
      ),
    ],
  );
  return heading;
}

const joined = (names) => names.flatMap((name, index) => [index ? ", " : "", h("code", {}, name)]);

/** The login of one CRM. */
export function showLogin(view, name, onConnected) {
  clear();
  const chosen = platform(name, "");
  const heading = h("h3", {}, `Log in to ${chosen.displayName}`);
  const host = hostField(chosen);
  const byForm = chosen.auth.apiKey?.page && chosen.auth.type === "apiKey" && keyForm(chosen, host, onConnected);
  const byPage = chosen.auth.oauth?.authUrl && chosen.auth.oauth.clientId && vendorPage(chosen, host, onConnected);
  fill(
    view,
    heading,
    host.element,
    byForm,
    byForm && byPage && h("p", { class: "quiet" }, "or"),
    byPage,
    h(
      "p",
      {},
      button("Another CRM", () => focusOn(showChoice(view, onConnected)), { class: "link" }),
    ),
  );
  focusOn(heading);
}

/** Where the visitor's CRM is: fixed, chosen or typed, as the manifest says. */
function hostField({ environment = {} }) {
  const hostOf = (address) => address.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  if (environment.type === "selectable") {
    const control = h(
      "select",
      {},
      environment.selections.map((item) => h("option", { value: item.const }, item.name)),
    );
    return { element: labelled("Region", control), value: () => hostOf(control.value) };
  }
  if (environment.type === "dynamic") {
    const control = h("input", { type: "text", placeholder: environment.urlIdentifier ?? "", autocomplete: "off" });
    return {
      element: labelled("Address of your CRM", control, (environment.instructions ?? []).join(" ")),
      value: () => hostOf(control.value.trim()),
    };
  }
  return { element: null, value: () => hostOf(environment.url ?? "") };
}

function keyForm(chosen, host, onConnected) {
  const page = chosen.auth.apiKey.page;
  const controls = new Map();
  const rows = page.content.map((field) => {
    const ui = field.uiSchema ?? {};
    if (ui["ui:field"] === "button") return null;
    if (["typography", "admonition"].includes(ui["ui:field"]))
      return h("p", { class: "hint" }, field.description ?? field.title);
    const isSecret = ui["ui:widget"] === "password";
    const control = h("input", {
      type: isSecret ? "password" : "text",
      name: field.const,
      autocomplete: "off",
      spellcheck: "false",
      required: Boolean(field.required),
      value: field.defaultValue ?? (sandbox(chosen.name) ? suggestedKey() : ""),
    });
    controls.set(field.const, control);
    return labelled(field.title, control, field.description ?? "");
  });
  const submit = async (event) => {
    event.preventDefault();
    const fields = Object.fromEntries([...controls].map(([name, control]) => [name, control.value]));
    const body = {
      platform: chosen.name,
      apiKey: fields.apiKey ?? "apiKey",
      hostname: host.value(),
      additionalInfo: fields,
    };
    await finish(await send("POST", "/apiKeyLogin", { body }), chosen, host.value(), onConnected);
  };
  return h(
    "form",
    { onsubmit: submit },
    page.warning && h("p", { class: "hint" }, page.warning),
    rows,
    h("button", { class: "primary" }, "Log in"),
  );
}

/** A key of this tab's own: at the sandbox every key is a person with contacts of their own. */
function suggestedKey() {
  if (!sessionStorage.getItem(SUGGESTED))
    sessionStorage.setItem(SUGGESTED, `visitor-${1000 + (crypto.getRandomValues(new Uint16Array(1))[0] % 9000)}`);
  return sessionStorage.getItem(SUGGESTED);
}

function vendorPage(chosen, host, onConnected) {
  const address = h("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  const comesBack = Boolean(sandbox(chosen.name));
  const target = () => platform(chosen.name, host.value());
  const own = h("input", { type: "checkbox", checked: comesBack });
  const pasted = async () => {
    await finish(await replyOf(address.value.trim(), host.value()), chosen, host.value(), onConnected);
  };
  return h(
    "div",
    {},
    button(`Sign in on ${chosen.displayName}'s own page`, () => leaveFor(target(), host.value(), own.checked), {
      class: comesBack ? "" : "primary",
    }),
    !comesBack &&
      h(
        "details",
        {},
        h("summary", {}, "How do I get back here?"),
        h(
          "div",
          { class: "field tick" },
          own,
          h(
            "label",
            { for: (own.id = "own-address") },
            "My application is registered with this console's address: ",
            h("code", {}, `${location.origin}/`),
          ),
        ),
        h(
          "p",
          { class: "hint" },
          "Otherwise the vendor's page opens in a tab of its own. When it has led you on, copy that tab's address and paste it here.",
        ),
        labelled("Address on which the other tab ended", address),
        busyButton("Finish the login", pasted),
      ),
  );
}

async function finish(reply, chosen, hostname, onConnected) {
  if (!reply.data?.jwtToken) {
    if (reply.ok && !reply.data?.returnMessage) tell("The login did not succeed.", "error");
    else tellReply({ ...reply, ok: false });
    return;
  }
  connect({ platform: chosen.name, hostname, name: reply.data.name, jwt: reply.data.jwtToken });
  tellReply(reply);
  onConnected();
}

/** After the vendor's page has sent the browser back here. */
export async function finishReturn(returned, onConnected) {
  const chosen = platform(returned.platform, returned.hostname);
  if (chosen) await finish(await replyOf(returned.address, returned.hostname), chosen, returned.hostname, onConnected);
}
