// Speaks with the server. What it throws has a sentence for people.

import { SILENCE_MS, pieces } from "./connection.js";
import { Lost } from "./problems.js";

const HERE = new URL("..", import.meta.url).pathname; // where the page is, which may be below a path
const ROOT = HERE + "api/v1";
const SLOWEST_BYTES_PER_MS = 4; // the server cuts what comes more slowly
const OPENING_MS = 300_000; // for the server to open a file

export let signedOut = false; // the page is leaving for the sign-in

// `quiet` is for what nobody is waiting for: it sends nobody to sign in.
export const get = (path, { quiet = false } = {}) => reach(path, {}, { quiet });
export const remove = (path) => reach(path, { method: "DELETE" });
export const patch = (path, fields) => reach(path, { method: "PATCH", body: JSON.stringify(fields), headers: { "Content-Type": "application/json" } });
export const put = (path, fields, limits = {}) => reach(path, { method: "PUT", body: JSON.stringify(fields), headers: { "Content-Type": "application/json" } }, limits);
export const post = (path, fields = {}) => reach(path, { method: "POST", body: form(fields) });

// A slow network empties what the system holds for it without a sign, so there is one limit for all of a file.
export function upload(path, file, fields) {
  const patience = OPENING_MS + file.size / SLOWEST_BYTES_PER_MS;
  return reach(path, { method: "POST", body: form({ ...fields, image: file }) }, { patience });
}

// What has to arrive though the page is being left. Browsers let it go on with at most 64 KB, and tell nobody how it ends.
export function leaveBehind(path, fields, key) {
  const options = { method: "POST", body: form(fields), headers: { "Idempotency-Key": key }, keepalive: true };
  fetch(ROOT + path, options).catch(() => {});
}

// Yields [name, data] of the server's events until "done" or "error"; throws `Lost` when they end before.
export async function* events(path, fields, key, signal) {
  const options = { method: "POST", body: form(fields), headers: { "Idempotency-Key": key } };
  let text = "";
  for await (const piece of request(path, options, { signal })) {
    text += piece;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      if (!name) continue; // a heartbeat
      yield [name, JSON.parse(/^data: ([^\n]*)/m.exec(block)[1])];
      if (name === "done" || name === "error") return;
    }
  }
  throw new Lost();
}

export function path(conversation, rest = "") {
  return `/conversations/${encodeURIComponent(conversation)}${rest}`;
}

export function address(conversation, rest) {
  return ROOT + path(conversation, rest);
}

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(18)); // randomUUID is missing where the page is opened without TLS
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

// The answer of a request, or null where it has none.
async function reach(path, options, { quiet = false, patience = SILENCE_MS } = {}) {
  let text = "";
  for await (const piece of request(path, options, { quiet, patience })) text += piece;
  return text ? JSON.parse(text) : null;
}

async function* request(path, options, { quiet = false, ...limits }) {
  try {
    yield* pieces(ROOT + path, options, limits);
  } catch (error) {
    if (error.status === 401 && !quiet) {
      signedOut = true;
      location.assign(HERE + "login" + location.hash); // which comes back with the one who signed in
    }
    throw error;
  }
}

function form(fields) {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value != null && value !== "") made.append(name, value);
  return made;
}
