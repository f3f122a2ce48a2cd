// Hides secrets of an exchange before it is shown or copied: in their place stands the name of a shell variable.

const OPEN = "\uE000";
const CLOSE = "\uE001";
const MARK = new RegExp(`${OPEN}([A-Z0-9_]+)${CLOSE}`, "g");

const marked = (name) => `${OPEN}${name}${CLOSE}`;
const variable = (name) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/\W+/g, "_")
    .toUpperCase();

/** A body with its secrets marked: tokens anywhere, and all that was typed into a login form. */
export function hidden(body, path = "") {
  const isLogin = path.toLowerCase().startsWith("/apikeylogin");
  const walk = (value, key, inForm) => {
    if (Array.isArray(value)) return value.map((item) => walk(item, key, inForm));
    if (value && typeof value === "object") {
      const within = isLogin && key === "additionalInfo";
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, walk(item, name, within)]));
    }
    if (typeof value !== "string" || !value) return value;
    if (/^(jwtToken|jwt)$/i.test(key)) return marked("JWT");
    return inForm || (isLogin && key === "apiKey") ? marked(variable(key)) : value;
  };
  return walk(body, "", false);
}

/** A path with its query; the code of an OAuth login is marked, also inside of another address. */
export function hiddenTarget(target) {
  return target.replace(/((?:[?&]|%3F|%26)code(?:=|%3D))[^&%]*/gi, `$1${marked("CODE")}`);
}

/** For people: `$JWT` where a secret was. */
export const readable = (text) => text.replace(MARK, "$$$1");

/** For a shell: in single quotes, with each variable outside of them. */
export function quoted(text) {
  const safe = text.replaceAll("'", `'\\''`);
  return `'${safe.replace(MARK, `'"$$$1"'`)}'`;
}
