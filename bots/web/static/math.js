// Draws formulas. bots/web/formulas.py marked them; what cannot be drawn stays the TeX that it was.

const MOST_KEPT = 300;
// Links, pictures and styles in a formula. KaTeX would show their command without its content.
const trust = ({ command }) => { throw new Error(`${command} is not trusted`); };
const OPTIONS = { output: "mathml", throwOnError: true, strict: "ignore", trust, maxExpand: 500, maxSize: 20 };
// What would need style attributes, which the page's policy does not allow.
const MACROS = { "\\pmb": "\\boldsymbol{#1}", "\\fcolorbox": "\\@secondoftwo{#1#2}{\\boxed{\\text{#3}}}" };

const drawn = new Map(); // the drawing of a source, null where it cannot be drawn: a growing answer asks again and again
let loading = null;

export function drawMath(parent) {
  const formulas = [...parent.querySelectorAll(".math")].filter((it) => !it.querySelector("math"));
  if (!formulas.length) return;
  if (self.katex) for (const formula of formulas) draw(formula);
  // It is loaded when a first answer needs it. Where it cannot be, the TeX is read.
  else loading ??= import("./katex/katex.min.js").then(() => drawMath(document), () => (loading = null));
}

// An element's text, with formulas as TeX: of their drawing's text nobody hears what is a power.
export function wordsOf(element) {
  const words = element.cloneNode(true);
  for (const math of words.querySelectorAll("math")) math.replaceWith(math.getAttribute("alttext"));
  return words.textContent;
}

function draw(formula) {
  const source = formula.textContent;
  if (!drawn.has(source)) {
    if (drawn.size >= MOST_KEPT) drawn.delete(drawn.keys().next().value);
    drawn.set(source, drawing(source, formula.classList.contains("display")));
  }
  const known = drawn.get(source);
  if (known) formula.replaceChildren(known.cloneNode(true));
}

function drawing(source, displayMode) {
  const edge = /^\$(?!\$)/.test(source) ? 1 : 2;
  const tex = source.slice(edge, -edge).trim();
  const into = document.createElement("span");
  try {
    self.katex.render(tex, into, { ...OPTIONS, displayMode, macros: { ...MACROS } }); // a formula may define macros
  } catch {
    return null;
  }
  const math = into.querySelector("math");
  math.querySelector("annotation").remove(); // it would be copied and read aloud with the formula
  math.setAttribute("alttext", tex);
  return math;
}
