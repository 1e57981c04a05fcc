// What the page says, in the browser's language: the server puts the sentences of these modules into the page.

const words = JSON.parse(document.getElementById("words").textContent);

export function say(sentence, values = {}) {
  return (words[sentence] ?? sentence).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
