// Makes elements without markup in strings, so that no text from a CRM is ever read as HTML.

const PROPERTIES = new Set(["checked", "disabled", "hidden", "open", "required", "selected", "value"]);
let lastId = 0;

/** An element; attributes that begin with "on" are listeners, children are elements or texts. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Puts new content into an element, in place of what it has. */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false),
  );
}

/** A control with its label and, where given, a hint that a screen reader reads with it. */
export function labelled(text, control, hint = "") {
  control.id ||= `control-${++lastId}`;
  const note = hint && h("p", { class: "hint", id: `${control.id}-hint` }, hint);
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, text), control, note);
}

/** A checkbox with its label behind it. */
export function ticked(text, control, hint = "") {
  control.id ||= `control-${++lastId}`;
  const note = hint && h("p", { class: "hint", id: `${control.id}-hint` }, hint);
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field tick" }, control, h("label", { for: control.id }, text), note);
}

export function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** Runs once at a time: while it runs, the button cannot be pressed again, and keeps the focus. */
export function busyButton(text, action, attributes = {}) {
  let running = false;
  const element = button(
    text,
    async () => {
      if (running) return;
      running = true;
      element.setAttribute("aria-busy", "true");
      try {
        await action();
      } finally {
        running = false;
        element.removeAttribute("aria-busy");
      }
    },
    attributes,
  );
  return element;
}

/** Moves the focus to a heading, after what had it has gone. */
export function focusOn(element) {
  element.setAttribute("tabindex", "-1");
  element.focus({ preventScroll: false });
}
