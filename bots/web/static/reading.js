// The answer that is read on this page: at most one at a time. It is written whether or not somebody reads it.

import { path, post } from "./api.js";
import { asking } from "./asking.js";
import { announce } from "./element.js";

const STOP_AGAIN_MS = 250;
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Reading {
  // `page` offers: conversation, drawn(), answered(key, turn), removed(numbers), complain(sentence)
  constructor(page) {
    this.page = page;
    this.running = null; // { turn, key, abort }
  }

  get turn() {
    return this.running?.turn ?? null;
  }

  get key() {
    return this.running?.key ?? null;
  }

  // Asks, or reads along if something was asked under the key before. Returns once it is answered, refused or left.
  async follow(turn, where, fields, key) {
    const abort = new AbortController();
    const running = (this.running = { turn, key, abort });
    turn.request = [where, fields];
    turn.begin(fields.query);
    this.page.drawn();
    let signedOut = false;
    try {
      const answer = await asking(...requestOf(where, fields), key, turn, abort.signal);
      turn.finish(answer);
      this.page.removed(answer.removed);
      announce(turn.spoken);
    } catch (error) {
      if (abort.signal.aborted) return;
      turn.fail(error);
      signedOut = error.status === 401; // it is asked after the sign-in, and those behind it
    }
    if (this.running === running) this.running = null;
    if (signedOut) this.page.drawn();
    else this.page.answered(key, turn);
  }

  async stop() {
    const { running, page } = this;
    if (!running || running.stopping) return;
    running.stopping = true;
    try {
      // Again, as long as the question is still on its way to where it can be stopped.
      while (this.running === running && !(await post(path(page.conversation, "/stop"))).stopped) await pause(STOP_AGAIN_MS);
    } catch (error) {
      page.complain(error.message);
    }
    running.stopping = false;
  }

  // Only our reading ends: the answer goes on, and is there when one comes back.
  leave() {
    this.running?.abort.abort();
    this.running = null;
  }
}

// The address and the fields of a question whose answer is read as it grows.
export function requestOf(where, fields) {
  return where === "/analyze" ? [where, { ...fields, stream: true, html: true }] : [`${where}?stream=true&html=true`, fields];
}
