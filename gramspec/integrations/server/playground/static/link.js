// The state of the page as the part of its address behind #, and back. Nothing of it is sent to the server by itself.

const LONGEST = 30000;

export function encode(state) {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function decode(hash) {
  const written = hash.replace(/^#/, "");
  if (!written || written.length > 2 * LONGEST) return null;
  try {
    const binary = atob(written.replaceAll("-", "+").replaceAll("_", "/"));
    const state = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0))));
    return state && typeof state === "object" ? state : null;
  } catch {
    return null;
  }
}

export function remember(state) {
  const written = encode(state);
  if (written.length <= LONGEST) history.replaceState(null, "", `#${written}`);
}
