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
    const loading = text.startsWith("loading");
    element.hidden = !loading;
    if (!loading) return;
    const percent = /(\d+) %/.exec(text)?.[1]; // an engine elsewhere does not say it
    element.textContent = percent
      ? say("The model is loading: {percent} %. You can ask already, and are answered then.", { percent })
      : say("The model is loading. You can ask already, and are answered then.");
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
