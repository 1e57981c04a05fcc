// What is set for this browser: the colours and the language of the page. Cookies tell them to the server, so that a page
// comes as it should look.

const HERE = new URL("..", import.meta.url).pathname;
const YEAR_S = 31_536_000;
const theme = document.getElementById("browser-theme");
const language = document.getElementById("browser-language");

// `reload` is called where the page has to come again.
export function offerBrowser(reload) {
  theme.value = cookie("theme");
  language.value = cookie("language");
  theme.onchange = () => {
    keep("theme", theme.value);
    document.querySelector("meta[name='color-scheme']").content = theme.value || "light dark";
    for (const meta of document.querySelectorAll("meta[name='theme-color']")) {
      const shown = theme.value || (meta.media.includes("dark") ? "dark" : "light");
      meta.content = theme.querySelector(`[value="${shown}"]`).dataset.paper;
    }
  };
  language.onchange = () => {
    keep("language", language.value);
    reload();
  };
}

function cookie(name) {
  return document.cookie.split("; ").find((it) => it.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

// "" is the usual.
function keep(name, value) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${value}; path=${HERE}; samesite=lax; max-age=${value ? YEAR_S : 0}${secure}`;
}
