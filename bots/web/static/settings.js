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
let shown = null; // { page, conversation, known }: whose settings are shown, and what they were when the panel was opened
let latest = null; // the wish to see some
let saving = Promise.resolve();

// `page` offers: ready, conversation, attached, complain(sentence)
export async function openSettings(page) {
  const wish = (latest = {});
  await Promise.all([page.ready, saving]);
  const { conversation } = page;
  const gone = () => wish !== latest || dialog.open || conversation !== page.conversation; // pressed again, or the reader has gone on
  let known;
  try {
    known = (conversation ? await get(path(conversation, "/settings")) : JSON.parse(ofNew())) ?? {};
  } catch (error) {
    return gone() || page.complain(error.message);
  }
  if (gone()) return;
  shown = { page, conversation, known };
  byId("settings-title").textContent = conversation ? say("How I answer in this conversation") : say("New conversations in this browser");
  const draft = JSON.parse(sessionStorage.getItem(draftOf(conversation)));
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
  sessionStorage.setItem(draftOf(shown.conversation), JSON.stringify(changed()));
  check();
};
form.onsubmit = (event) => {
  event.preventDefault();
  const wrong = check();
  if (wrong) return wrong.focus();
  const [of, sent] = [shown, given()];
  saving = saving.then(() => save(of, sent)); // of two requests at once the earlier could be stored last
};
byId("close-settings").onclick = () => dialog.close(); // what was changed stays a draft
byId("discard-settings").onclick = () => close();

async function save(of, sent) {
  const { page, conversation, saved } = of;
  const wanted = JSON.stringify(sent);
  if (wanted === saved) return; // pressed twice
  try {
    if (conversation) await put(path(conversation, "/settings"), sent);
    else {
      keepForNew(sent);
      setWhatBegins(page, sent);
    }
  } catch (error) {
    return dialog.open ? tell(error.message) : page.complain(error.message);
  }
  of.saved = wanted;
  if (wanted !== JSON.stringify(given())) return; // typed on meanwhile
  close();
  announce(say("The settings are saved."));
}

// A first picture that was on its way has begun a conversation with the settings before.
async function setWhatBegins(page, sent) {
  const { attached } = page;
  await attached.settled();
  const begun = attached.conversation;
  if (begun) put(path(begun, "/settings"), sent).catch((error) => page.complain(error.message));
}

function close() {
  sessionStorage.removeItem(draftOf(shown.conversation));
  dialog.close();
}

function given() {
  const { receipt, keep, ...words } = Object.fromEntries(new FormData(form));
  return { ...words, receipt: receipt === "true", keep: keep === "true" };
}

// Only what was changed: the rest may be set elsewhere before it is saved.
function changed() {
  return Object.fromEntries(Object.entries(given()).filter(([name, value]) => value !== shown.known[name]));
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
