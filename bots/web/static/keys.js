// What keys mean where one writes.

// Whether Enter sends. On a touch screen it makes a line, as there it always does.
export function sends(event) {
  const composing = event.isComposing || event.keyCode === 229; // Safari ends the composition before the Enter that confirms it
  return event.key === "Enter" && !event.shiftKey && !composing && !matchMedia("(pointer: coarse)").matches;
}
