// What goes wrong between the page and the server. Each has a sentence for people: the server's own, or one from here.

import { say } from "./words.js";

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
    this.retryable = true;
  }
}

export function problemOf(status, text) {
  if (status === 502 || status === 504) return new Lost();
  try {
    return new Refusal(status, JSON.parse(text));
  } catch {
    // something between us and the service answered; its words are not for people
    return new Refusal(status, { detail: say("Something went wrong on my side. Please try again."), retryable: true });
  }
}
