// Changes only what is new in an answer, so that one can select in it, or stand in its table, while it grows.

export function grow(shown, fresh) {
  const known = [...shown.childNodes];
  for (const [index, node] of [...fresh.childNodes].entries()) follow(shown, known[index], node);
  for (const node of known.slice(fresh.childNodes.length)) node.remove();
}

function follow(parent, known, node) {
  if (!known) parent.append(node.cloneNode(true));
  else if (known.isEqualNode(node) || (known.nodeName === "BUTTON" && node.nodeName === "BUTTON")) return; // it may still show that it was pressed
  else if (known.nodeType === Node.TEXT_NODE && node.nodeType === Node.TEXT_NODE) lengthen(known, node.data);
  else if (known.nodeType === Node.ELEMENT_NODE && shell(known).isEqualNode(shell(node))) grow(known, node);
  else known.replaceWith(node.cloneNode(true));
}

// An element without its content. What a reader unfolded stays so.
function shell(node) {
  const alone = node.cloneNode();
  alone.removeAttribute("open");
  return alone;
}

function lengthen(text, data) {
  if (data.startsWith(text.data)) text.appendData(data.slice(text.length));
  else text.data = data;
}
