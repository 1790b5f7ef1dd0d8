// Every device of the plant, those that need attention first.

import { ask } from "./api.js";
import { arrange, h, text } from "./dom.js";
import { fleetRow, fleetTile } from "./fleet-parts.js";
import { STATES, emptyNote, stateLabel } from "./parts.js";

const POLL_MS = 1000;
const PORTION = 100;
const LAYOUTS = ["rows", "tiles"];
const SEVERITIES = ["critical", "major", "minor"];

export function fleetView(query, { signal, setAddress, hear }) {
  const devices = new Map();
  const rows = new Map();
  let store = "";
  let revision = -1;
  let newest = null;
  let clock = null;
  let shown = PORTION;
  let matching = 0;
  let layout = LAYOUTS.includes(query.get("layout")) ? query.get("layout") : LAYOUTS[0];
  let filter = STATES.includes(query.get("state")) ? query.get("state") : "";

  const search = h("input", {
    type: "search", id: "search", placeholder: "Search devices", "aria-label": "Search devices", autocomplete: "off",
    spellcheck: "false", value: query.get("q") ?? "", on: { input: () => { shown = PORTION; remember(); render(); } },
  });
  const chips = ["", ...STATES].map((state) => {
    const count = h("span", { class: "count" });
    const button = h("button", {
      type: "button", class: "chip", data: { state },
      on: { click: () => { filter = filter === state ? "" : state; shown = PORTION; remember(); render(); } },
    }, h("span", {}, state === "" ? "All" : stateLabel(state)), count);
    return { state, count, button };
  });
  const layouts = LAYOUTS.map((name) => h("button", {
    type: "button", data: { layout: name },
    on: { click: () => { layout = name; rows.clear(); remember(); render(); } },
  }, name === "rows" ? "Rows" : "Tiles"));
  const body = h("tbody");
  const tiles = h("ul", { class: "tiles" });
  const headings = ["State", "Device", "Surprise", "Of late", "Open event", "Last seen"];
  const table = h("table", { class: "fleet" },
    h("thead", {}, h("tr", {}, headings.map((name) => h("th", { scope: "col" }, name)))), body);
  const note = h("div", { class: "note" });
  const end = h("div", { class: "end", "aria-hidden": "true" });
  const element = h("section", { class: "page" },
    h("div", { class: "page-head" }, h("h1", {}, "Fleet"),
      h("div", { class: "chips", role: "group", "aria-label": "Filter by state" }, chips.map((chip) => chip.button)),
      search, h("div", { class: "segments layout", role: "group", "aria-label": "Layout" }, layouts)),
    table, tiles, note, end);

  // More rows are made only as they come into sight: five thousand devices cost no more than a hundred.
  const watcher = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting) && shown < matching) {
      shown += PORTION;
      render();
    }
  }, { rootMargin: "400px" });
  watcher.observe(end);
  signal.addEventListener("abort", () => watcher.disconnect());

  function remember() {
    setAddress({ state: filter, q: search.value, layout: layout === LAYOUTS[0] ? "" : layout });
  }

  function render() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const counts = new Map(STATES.map((state) => [state, 0]));
    const found = [];
    for (const device of devices.values()) {
      const name = `${device.site} ${device.device} ${device.model}`.toLowerCase();
      if (!words.every((word) => name.includes(word))) continue;
      counts.set(device.state, counts.get(device.state) + 1);
      if (filter === "" || device.state === filter) found.push(device);
    }
    found.sort(byAttention);
    matching = found.length;
    for (const { state, count, button } of chips) {
      const total = state === "" ? [...counts.values()].reduce((a, b) => a + b, 0) : counts.get(state);
      text(count, String(total));
      button.setAttribute("aria-pressed", String(filter === state));
      button.disabled = state !== "" && total === 0 && filter !== state;
    }
    const [into, other, make] = layout === "rows" ? [body, tiles, fleetRow] : [tiles, body, fleetTile];
    other.replaceChildren();
    for (const button of layouts) button.setAttribute("aria-pressed", String(button.dataset.layout === layout));
    arrange(into, found.slice(0, shown).map((device) => {
      const id = key(device);
      if (!rows.has(id)) rows.set(id, make(device));
      const row = rows.get(id);
      row.set(device, newest, clock);
      return row.element;
    }));
    table.hidden = layout !== "rows" || matching === 0;
    tiles.hidden = layout !== "tiles" || matching === 0;
    note.replaceChildren(...emptiness());
  }

  function emptiness() {
    if (matching > 0) return [];
    if (devices.size > 0) return [emptyNote("No device matches", "Clear the search or choose another state.")];
    return [emptyNote("Waiting for the first readings", "Devices appear here as soon as the detector has stored what they say.")];
  }

  async function turn(abort) {
    const answer = await ask("fleet", { since: revision, store }, abort);
    hear(answer);
    if (answer.whole) {
      devices.clear();
      if (answer.store !== store) {
        rows.clear();
        body.replaceChildren();
        tiles.replaceChildren();
      }
    }
    ({ store, revision, newest_s: newest, now_s: clock } = answer);
    for (const device of answer.devices) devices.set(key(device), device);
    render();
    return POLL_MS;
  }

  return { element, title: "Fleet", turn };
}

const key = (device) => JSON.stringify([device.site, device.device]);

const names = new Intl.Collator("en", { numeric: true });
const rank = (device) => (device.event ? 0 : STATES.indexOf(device.state) + (device.state === "anomalous" ? 0.5 : 1));
const grave = (device) => (device.event ? SEVERITIES.indexOf(device.event.severity) : 0);
const late = (device) => (device.event ? -device.event.start_s : 0);

/** Open events first, the gravest and then the latest; the quiet rest keeps still, by name. */
function byAttention(a, b) {
  return rank(a) - rank(b) || grave(a) - grave(b) || late(a) - late(b)
    || names.compare(a.site, b.site) || names.compare(a.device, b.device);
}
