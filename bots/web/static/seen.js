// Looks again and again at what may have changed elsewhere, while somebody has the page before their eyes.

const PAUSE_MS = 10_000;

export function whileSeen(look) {
  const looking = () => document.visibilityState === "visible" && look();
  setInterval(looking, PAUSE_MS);
  addEventListener("focus", looking);
  document.addEventListener("visibilitychange", looking);
}
