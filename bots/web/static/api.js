// Speaks with the server. What it throws has a sentence for people: the server's own, or that there is no connection.

import { say } from "./words.js";

const ROOT = "/api/v1";
// A connection can die without a word, so whatever makes no progress for so long is lost.
const SILENCE_MS = 30_000; // while an answer grows, the server's heartbeat comes every ten seconds
const SENDING_SILENCE_MS = 60_000; // the system says nothing while it empties what it holds for a slow network
const OPENING_MS = 300_000; // for the server to open a file

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

export const get = (path) => reach(path, {});
export const remove = (path) => reach(path, { method: "DELETE" });
export const post = (path, fields = {}) => reach(path, { method: "POST", body: form(fields) });

// With a file: only XMLHttpRequest tells whether its sending still makes progress.
export function upload(path, fields) {
  const request = new XMLHttpRequest();
  const timer = new Timer(() => request.abort());
  return new Promise((resolve, reject) => {
    request.upload.onprogress = () => timer.start(SENDING_SILENCE_MS);
    request.upload.onload = () => timer.start(OPENING_MS);
    request.onerror = request.onabort = () => reject(new Lost());
    request.onload = () => {
      const refused = request.status < 200 || request.status > 299;
      if (refused) reject(refusal(request.status, request.responseText));
      else resolve(JSON.parse(request.responseText));
    };
    request.onloadend = () => timer.stop();
    request.open("POST", ROOT + path);
    request.send(form(fields));
    timer.start(SENDING_SILENCE_MS);
  });
}

// Yields [name, data] of the server's events until "done" or "error"; throws `Lost` when they end before.
export async function* events(path, fields, key, signal) {
  let text = "";
  for await (const piece of pieces(path, { method: "POST", body: form(fields), headers: { "Idempotency-Key": key } }, signal)) {
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

class Timer {
  constructor(expired) {
    this.expired = expired;
  }

  start(milliseconds) {
    this.stop();
    this.id = setTimeout(this.expired, milliseconds);
  }

  stop() {
    clearTimeout(this.id);
  }
}

async function reach(path, options) {
  let text = "";
  for await (const piece of pieces(path, options)) text += piece;
  return text ? JSON.parse(text) : null;
}

// Yields the text of an answer as it comes; `signal` ends it.
async function* pieces(path, options, signal = null) {
  const abort = new AbortController();
  const end = () => abort.abort();
  const timer = new Timer(end);
  signal?.addEventListener("abort", end);
  try {
    timer.start(SILENCE_MS);
    const response = await fetch(ROOT + path, { ...options, signal: abort.signal }).catch(lose);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let refused = "";
    for (let step; reader && !(step = await reader.read().catch(lose)).done; ) {
      timer.start(SILENCE_MS);
      if (response.ok) yield step.value;
      else refused += step.value;
    }
    if (!response.ok) throw refusal(response.status, refused);
  } finally {
    timer.stop();
    signal?.removeEventListener("abort", end);
  }
}

function lose() {
  throw new Lost();
}

function refusal(status, text) {
  if (status === 401) location.assign("/login" + location.hash); // which comes back with the one who signed in
  if (status === 502 || status === 504) return new Lost();
  try {
    return new Refusal(status, JSON.parse(text));
  } catch {
    // something between us and the service answered; its words are not for people
    return new Refusal(status, { detail: say("Something went wrong on my side. Please try again."), retryable: true });
  }
}

function form(fields) {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value != null && value !== "") made.append(name, value);
  return made;
}
