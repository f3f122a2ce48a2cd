// What this tab keeps while it is open: the token and the choice of CRM, in sessionStorage and nowhere else.

const KEY = "switchboard-console";

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

let kept = read();

/** One value that lasts as long as the tab. */
export const remember = (name, value) => {
  kept[name] = value;
  sessionStorage.setItem(KEY, JSON.stringify(kept));
};
export const remembered = (name, otherwise) => kept[name] ?? otherwise;

export const token = () => remembered("token", "");
export const platformName = () => remembered("platform", "");
export const isConnected = () => Boolean(token());

export function connect({ platform, hostname, name, jwt }) {
  for (const [key, value] of Object.entries({ platform, hostname, name, token: jwt })) remember(key, value);
}

/** Forgets the token and what was done with it. */
export function disconnect() {
  kept = {};
  sessionStorage.removeItem(KEY);
}
