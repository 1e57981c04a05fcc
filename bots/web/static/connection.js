// One request over a network that can die without a word: whatever stays silent for too long counts as lost.

import { Lost, problemOf } from "./problems.js";

export const SILENCE_MS = 30_000; // the server's heartbeat comes every ten seconds

// Yields the text of an answer as it comes. The first of it may take `patience`; `signal` ends it.
// Throws `Lost`, or the `Refusal` that came instead.
export async function* pieces(address, options, { signal = null, patience = SILENCE_MS } = {}) {
  const abort = new AbortController();
  const end = () => abort.abort();
  if (signal?.aborted) end();
  signal?.addEventListener("abort", end);
  let timer = setTimeout(end, patience);
  try {
    const response = await fetch(address, { ...options, signal: abort.signal }).catch(lose);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let refused = "";
    for (let step; reader && !(step = await reader.read().catch(lose)).done; ) {
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE_MS);
      if (response.ok) yield step.value;
      else refused += step.value;
    }
    if (!response.ok) throw problemOf(response.status, refused);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
    end(); // a reader who has heard enough keeps no connection open
  }
}

function lose() {
  throw new Lost();
}
