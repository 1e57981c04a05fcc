// One conversation in the list.

import { element, icon, iconButton } from "./element.js";
import { say } from "./words.js";

const DAY = 86_400_000;
const locale = document.documentElement.lang;
const HOUR = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });
const WHOLE = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" });

// The heading that it stands below.
export function group({ pinned, updated }) {
  const date = new Date(updated);
  const today = new Date().setHours(0, 0, 0, 0);
  if (pinned) return say("Pinned");
  if (date >= today) return say("Today");
  if (date >= today - DAY) return say("Yesterday");
  return date >= today - 6 * DAY ? say("This week") : say("Earlier");
}

// The hour of today, or the day.
export function short(updated) {
  const date = new Date(updated);
  return (date >= new Date().setHours(0, 0, 0, 0) ? HOUR : DATE).format(date);
}

// `page` offers: open(), more(button)
export function entry({ id, title, updated, writing, thumbnail }, current, page) {
  const state = writing ? element("span", { class: "unseen" }, " " + say("(is being answered)")) : null;
  const picture = thumbnail ? element("img", { src: thumbnail, alt: "", loading: "lazy" }) : icon("picture");
  const open = element(
    "button",
    { type: "button", class: "open", title, "data-focus": `open ${id}`, onclick: page.open, "aria-current": current && "page" },
    element("span", { class: "thumb" }, picture),
    element("span", { class: "name" }, title, state),
  );
  const when = element("time", { datetime: updated, title: WHOLE.format(new Date(updated)) }, short(updated));
  const more = iconButton("more", say("More for “{title}”", { title }), () => page.more(more), { "data-focus": `more ${id}`, "aria-haspopup": "true" });
  const look = ["entry", current && "current", writing && "answering"].filter(Boolean).join(" ");
  return element("li", { class: look }, open, when, more);
}
