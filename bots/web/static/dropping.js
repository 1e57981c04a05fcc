// Files that are dragged over the page, wherever they are dropped.

export function dropping(take) {
  let depth = 0; // dragenter and dragleave come for every element that is crossed
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const shade = (shown) => document.body.classList.toggle("dropping", shown);
  addEventListener("dragenter", (event) => carries(event) && (depth++, shade(true)));
  addEventListener("dragleave", (event) => carries(event) && (depth = Math.max(0, depth - 1)) === 0 && shade(false));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    shade(false);
    take(event.dataTransfer.files);
  });
}
