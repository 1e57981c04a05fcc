// Says how far the model is loaded, until it is there. Questions that are asked meanwhile wait for it.

import { say } from "./words.js";

const EVERY_MS = 2000;

export async function tellLoading(element) {
  for (;;) {
    let text = "";
    try {
      const response = await fetch("readyz");
      if (response.status === 503) text = await response.text();
    } catch {
      return; // whoever asks something is told that nothing answers
    }
    const share = text.startsWith("loading") ? (/(\d+) %/.exec(text)?.[1] ?? "0") : null;
    element.hidden = share === null;
    if (share === null) return;
    element.textContent = say("The model is loading: {percent} %. You can ask already, and are answered then.", { percent: share });
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
