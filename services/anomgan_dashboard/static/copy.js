// A button that copies the address of what is shown, so that it can be sent to somebody.

import { h, text } from "./dom.js";

/** `address()` -> path and query on this host. */
export function copyButton(address) {
  const button = h("button", { type: "button", class: "copy", title: "Copy an address that shows this event", on: { click: copy } }, "Copy link");
  const shown = h("input", { class: "copied", readonly: true, hidden: true, "aria-label": "Link to this event" });
  let timer = 0;

  async function copy() {
    const link = location.origin + address();
    // Browsers give the clipboard only to pages that are secure: over plain HTTP from another machine they do not.
    const written = await (navigator.clipboard?.writeText(link) ?? Promise.reject(new TypeError("no clipboard"))).then(() => true, () => false);
    shown.hidden = written;
    shown.value = link;
    if (!written) shown.select();
    text(button, written ? "Copied" : "Press Ctrl + C");
    clearTimeout(timer);
    timer = setTimeout(() => text(button, "Copy link"), 2500);
  }

  return h("span", { class: "copying" }, button, shown);
}
