// Speaks with the server. What it throws has a sentence for people: the server's own, or that there is no connection.

import { say } from "./words.js";

const HERE = new URL("..", import.meta.url).pathname; // where the page is, which may be below a path
const ROOT = HERE + "api/v1";

export class Refusal extends Error {
  constructor(status, { detail, retryable }) {
    super(detail);
    this.status = status;
    this.retryable = retryable;
  }
}

export class Lost extends Error {
  constructor() {
    super(say("There is no connection. Please try again."));
  }
}

export async function get(path) {
  return (await reach(path, {})).json();
}

export async function remove(path) {
  await reach(path, { method: "DELETE" });
}

export async function post(path, fields = {}) {
  return (await reach(path, { method: "POST", body: form(fields) })).json();
}

// What answers with nothing.
export async function send(path, fields = {}) {
  await reach(path, { method: "POST", body: form(fields) });
}

// Yields [name, data] of the server's events until "done" or "error"; throws `Lost` when they end before.
export async function* events(path, fields, key, signal) {
  const response = await reach(path, { method: "POST", body: form(fields), headers: { "Idempotency-Key": key }, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    let step;
    try {
      step = await reader.read();
    } catch {
      throw new Lost();
    }
    if (step.done) throw new Lost();
    text += step.value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      if (!name) continue; // a heartbeat
      yield [name, JSON.parse(/^data: ([^\n]*)/m.exec(block)[1])];
      if (name === "done" || name === "error") return;
    }
  }
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

async function reach(where, options) {
  const response = await fetch(ROOT + where, options).catch((error) => {
    throw error.name === "AbortError" ? error : new Lost();
  });
  if (response.ok) return response;
  if (response.status === 401) location.assign(HERE + "login" + location.hash); // which comes back with the one who signed in
  let problem = { detail: say("Something went wrong on my side. Please try again."), retryable: true };
  try {
    problem = await response.json();
  } catch {
    // something between us and the service answered; its words are not for people
  }
  if (response.status === 502 || response.status === 504) throw new Lost();
  throw new Refusal(response.status, problem);
}

function form(fields) {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value != null && value !== "") made.append(name, value);
  return made;
}
