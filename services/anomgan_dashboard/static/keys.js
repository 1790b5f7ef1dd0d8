// Keys that work on every view, and the sheet that tells of them.

import { h } from "./dom.js";

const ROWS = "main .page > .fleet .name a, main .page > .tiles .name a, main .page > .log .entry-link";
const KEYS = [
  ["/", "Search"],
  ["↓ ↑", "Next and previous row of a list"],
  ["Enter", "Open what is marked"],
  ["← →", "Earlier and later, on a device"],
  ["+ −", "Shorter and longer stretch, on a device"],
  ["Esc", "Close what is open"],
  ["?", "This sheet"],
];

/** The sheet, made when first asked for. */
function sheet() {
  const found = document.getElementById("keys");
  if (found) return found;
  const made = h("dialog", { id: "keys", class: "keys", "aria-labelledby": "keys-title" },
    h("form", { method: "dialog" }, h("h2", { id: "keys-title" }, "Keys"),
      h("dl", {}, KEYS.flatMap(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)])),
      h("button", { type: "submit", autofocus: "" }, "Close")));
  made.addEventListener("click", (event) => { if (event.target === made) made.close(); });
  document.body.append(made);
  return made;
}

/** A key that belongs to no field and to no view. */
export function commonKey(event) {
  if (event.key === "?") sheet().showModal();
  else if (event.key === "/") {
    const search = document.querySelector("main input[type=search]");
    if (search === null) return;
    search.focus();
    search.select();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!step(event.key === "ArrowDown" ? 1 : -1)) return;
  } else return;
  event.preventDefault();
}

/** Mark the next row; false where there is no list. From the search field on, the first one. */
export function step(by) {
  const links = [...document.querySelectorAll(ROWS)];
  if (links.length === 0) return false;
  const at = links.indexOf(document.activeElement);
  const next = links[at === -1 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, at + by)];
  if (at === 0 && by < 0) document.querySelector("main input[type=search]")?.focus();
  else next.focus();
  return true;
}
