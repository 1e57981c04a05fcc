// The settings panel: how the conversation that is shown is answered, or those that begin in this browser.

import { get, path, put } from "./api.js";
import { draftOf, keepForNew, ofNew } from "./beginning.js";
import { offerBrowser } from "./browser.js";
import { announce } from "./element.js";
import { say } from "./words.js";

const byId = (id) => document.getElementById(id);
const dialog = byId("settings");
const form = dialog.querySelector("form");
const instructions = byId("instructions");
const language = byId("language");
let shownOn = null; // the page
let conversation = null; // whose settings are shown
let known = {}; // what they were when the panel was opened

// `page` offers: ready, conversation, attached, complain(sentence)
export async function openSettings(page) {
  await page.ready;
  const wanted = page.conversation;
  let found;
  try {
    found = wanted ? await get(path(wanted, "/settings")) : JSON.parse(ofNew());
  } catch (error) {
    return page.complain(error.message);
  }
  if (dialog.open || wanted !== page.conversation) return; // pressed twice, or the reader has gone on
  shownOn = page;
  conversation = wanted;
  known = found ?? {};
  byId("settings-title").textContent = wanted ? say("How I answer in this conversation") : say("New conversations in this browser");
  const draft = JSON.parse(sessionStorage.getItem(draftOf(wanted)));
  form.reset();
  for (const [name, value] of Object.entries({ ...known, ...draft })) form.elements.namedItem(name).value = value;
  byId("settings-draft").hidden = !draft;
  tell("");
  check();
  offerBrowser(async () => {
    await page.attached.settled(); // what is on its way would be lost
    location.reload();
  });
  dialog.showModal();
}

form.oninput = () => {
  sessionStorage.setItem(draftOf(conversation), JSON.stringify(changed()));
  check();
};
form.onsubmit = async (event) => {
  event.preventDefault();
  const wrong = check();
  if (wrong) return wrong.focus();
  const whose = conversation;
  const sent = given();
  try {
    if (whose) await put(path(whose, "/settings"), sent);
    else {
      keepForNew(sent);
      setWhatBegins(sent);
    }
  } catch (error) {
    return tell(error.message);
  }
  if (whose === conversation && JSON.stringify(sent) !== JSON.stringify(given())) return; // typed on meanwhile
  close(whose);
  announce(say("The settings are saved."));
};
byId("close-settings").onclick = () => dialog.close(); // what was changed stays a draft
byId("discard-settings").onclick = () => close(conversation);

// A first picture that was on its way has begun a conversation with the settings before.
async function setWhatBegins(sent) {
  await shownOn.attached.settled();
  const begun = shownOn.attached.conversation;
  if (begun) put(path(begun, "/settings"), sent).catch((error) => shownOn.complain(error.message));
}

function close(whose) {
  sessionStorage.removeItem(draftOf(whose));
  if (whose === conversation) dialog.close();
}

function given() {
  const { receipt, keep, ...words } = Object.fromEntries(new FormData(form));
  return { ...words, receipt: receipt === "true", keep: keep === "true" };
}

// Only what was changed: the rest may be set elsewhere before it is saved.
function changed() {
  return Object.fromEntries(Object.entries(given()).filter(([name, value]) => value !== known[name]));
}

function tell(sentence) {
  byId("settings-trouble").hidden = !sentence;
  byId("settings-trouble").textContent = sentence;
}

// Returns the first field that is wrong. Each says so itself.
function check() {
  const limit = Number(instructions.dataset.limit);
  const length = count(instructions);
  byId("instructions-count").textContent = `${length} / ${limit}`;
  mark(instructions, length > limit ? say("Instructions may have at most {limit} characters.", { limit }) : "");
  const wordy = count(language) > Number(language.dataset.limit);
  mark(language, wordy ? say("Please name a language in a few words, such as: German.") : "");
  return form.querySelector("[aria-invalid='true']");
}

// As the server counts: characters, and not the halves that some have in a browser.
function count(field) {
  return [...field.value].length;
}

function mark(field, sentence) {
  const wrong = byId(`${field.id}-wrong`);
  wrong.textContent = sentence;
  wrong.hidden = !sentence;
  field.setAttribute("aria-invalid", String(Boolean(sentence)));
}
