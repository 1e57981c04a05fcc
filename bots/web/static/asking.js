// One question on its way: asks with a key, and after a lost connection or a restart asks for the same answer again.

import { events } from "./api.js";
import { Lost } from "./problems.js";

const PAUSES = [500, 1000, 2000, 4000, 8000];

// Calls listener.<event>(data) for each of the server's events, and listener.lost() when there is no connection.
// Resolves with the data of "done"; throws the server's refusal.
export async function asking(path, fields, key, listener, signal) {
  let failures = 0;
  for (;;) {
    try {
      for await (const [name, data] of events(path, fields, key, signal)) {
        failures = 0;
        if (name === "done") return data;
        if (name === "error") throw Object.assign(new Error(data.detail), data);
        listener[name]?.(data);
      }
    } catch (error) {
      if (signal.aborted) throw error;
      if (!(error instanceof Lost) && error.status !== 503) throw error;
      listener.lost();
      await new Promise((resolve) => setTimeout(resolve, PAUSES[Math.min(failures++, PAUSES.length - 1)]));
    }
  }
}
