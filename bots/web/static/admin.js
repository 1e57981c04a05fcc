// Keeps the operator's page current: fetches it again and swaps what is live, unless somebody is selecting in it.

const EVERY_MS = 4000;

setInterval(async () => {
  if (document.hidden || !getSelection().isCollapsed) return;
  try {
    const response = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (response.redirected) return location.reload();
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const live = page.getElementById("live");
    if (!live) return; // something between us and the service answered
    const focused = document.activeElement?.getAttribute("aria-labelledby");
    const link = document.activeElement?.closest("#live a")?.getAttribute("href");
    document.getElementById("live").replaceWith(live);
    mark();
    if (link) live.querySelector(`a[href="${link}"]`)?.focus();
    if (focused) live.querySelector(`[tabindex][aria-labelledby="${focused}"]`)?.focus();
  } catch {
    // the service is restarting; the next try will tell
  }
}, EVERY_MS);
addEventListener("hashchange", mark);
mark();

// The row that a bar leads to. The browser's own :target ends when its element is swapped.
function mark() {
  for (const row of document.querySelectorAll("#live tr[id]")) row.classList.toggle("target", location.hash === `#${row.id}`);
}
