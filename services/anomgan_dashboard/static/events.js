// The log of all events, latest first.

import { ask, attempt } from "./api.js";
import { arrange, h, text } from "./dom.js";
import { dateTime, day, duration, fullDay, hourMinute, surprise, timeOfDay } from "./format.js";
import { deviceLink, emptyNote, eventLink, severityBadge } from "./parts.js";

const POLL_MS = 2000;
const PAGE = 100;
const CHOICES = [["", "All"], ["open", "Open"], ["closed", "Closed"], ["muted", "Muted"], ["false_alarm", "False alarms"]];

export function eventsView(query, { setAddress, hear }) {
  const device = query.get("device");
  const site = query.get("site") ?? "";
  let state = CHOICES.some(([value]) => value === query.get("state")) ? query.get("state") : "";
  const known = new Map();
  let more = null;
  let asked = 0;
  const rows = new Map();

  const search = h("input", {
    type: "search", placeholder: "Search events", "aria-label": "Search events", autocomplete: "off", spellcheck: "false",
    value: query.get("q") ?? "", on: { input: () => { remember(); render(); } },
  });
  const chips = CHOICES.map(([value, name]) => h("button", {
    type: "button", class: "chip", data: { value },
    on: { click: () => { state = value; known.clear(); more = null; remember(); attempt(refresh()); } },
  }, name));
  const list = h("div", { class: "log" });
  const note = h("div", { class: "note" });
  const button = h("button", { type: "button", class: "more", hidden: true, on: { click: () => attempt(loadOlder()) } }, "Show older events");
  const only = device === null ? null : h("p", { class: "only" }, "Events of ", h("a", { href: deviceLink(site, device) }, device),
    " · ", h("a", { href: "/events" }, "show all"));
  const element = h("section", { class: "page" },
    h("div", { class: "page-head" }, h("h1", {}, "Events"),
      h("div", { class: "chips", role: "group", "aria-label": "Filter by state" }, chips), search),
    only, list, note, button);

  function remember() {
    setAddress({ site, device, state, q: search.value });
  }

  const page = (extra) => ({ site: device === null ? null : site, device, state: state || null, limit: PAGE, ...extra });

  async function refresh(abort) {
    asked += 1;
    const mine = asked;
    const answer = await ask("events", page({}), abort);
    if (mine !== asked) return; // a click has asked for something else meanwhile
    hear(answer);
    // What the page's span no longer holds has closed or is gone; what lies below it was loaded before and stays.
    const told = new Set(answer.events.map((event) => event.id));
    const floor = answer.more ? answer.events[answer.events.length - 1].start_s : -Infinity;
    for (const event of known.values()) if (event.start_s > floor && !told.has(event.id)) known.delete(event.id);
    for (const event of answer.events) known.set(event.id, event);
    more ??= answer.more;
    render();
  }

  async function loadOlder() {
    const last = sorted().pop();
    button.disabled = true;
    try {
      const answer = await ask("events", page({ before: last.id }));
      for (const event of answer.events) known.set(event.id, event);
      ({ more } = answer);
      render();
    } finally {
      button.disabled = false;
    }
  }

  const sorted = () => [...known.values()].sort((a, b) => b.start_s - a.start_s || (a.id < b.id ? 1 : -1));

  function render() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = sorted().filter((event) => {
      const told = `${event.site} ${event.device} ${event.severity} ${event.reason} ${event.channels.map((c) => c.name).join(" ")}`.toLowerCase();
      return words.every((word) => told.includes(word));
    });
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.value === state));
    const children = [];
    let heading = "";
    for (const event of found) {
      const date = fullDay(event.start_s);
      if (date !== heading) {
        heading = date;
        children.push(kept(`day ${date}`, () => ({ element: h("h2", { class: "day" }, date), set() {} })).element);
      }
      const row = kept(event.id, () => eventRow(event));
      row.set(event);
      children.push(row.element);
    }
    arrange(list, children);
    button.hidden = !more;
    note.replaceChildren(...(found.length > 0 ? [] : [emptyNote(
      known.size > 0 ? "No event matches" : "No events",
      known.size > 0 ? "Clear the search or load older events." : "When a device stops behaving normally, it is told here.")]));
  }

  function kept(id, make) {
    if (!rows.has(id)) rows.set(id, make());
    return rows.get(id);
  }

  return { element, title: "Events", turn: async (abort) => { await refresh(abort); return POLL_MS; } };
}

/** One event as a line of a log; `brief` leaves out what a device's own page says already. */
export function eventRow(event, { brief = false } = {}) {
  const severity = h("span", { class: "severity-slot" });
  const length = h("span", { class: "length" });
  const reason = h("span", { class: "reason" });
  const peak = h("span", { class: "peak" });
  const when = h("time", { class: "when", title: dateTime(event.start_s) },
    brief ? `${day(event.start_s)}, ${hourMinute(event.start_s)}` : timeOfDay(event.start_s));
  const link = h("a", { class: "entry-link", href: brief ? deviceLink(event.site, event.device, { event: event.id }) : eventLink(event.id) },
    brief ? "Show" : event.device);
  const element = h("article", { class: brief ? "entry brief" : "entry" }, when, severity,
    h("span", { class: "who" }, link, brief || !event.site ? null : h("span", { class: "site" }, event.site)), reason, length, peak);

  function set(now) {
    element.dataset.state = now.state;
    if (severity.dataset.told !== now.severity) {
      severity.dataset.told = now.severity;
      severity.replaceChildren(severityBadge(now.severity));
    }
    text(reason, now.note ? `${now.reason} · ${now.note}` : now.reason);
    text(length, now.state === "open" ? (brief ? "open" : `open since ${hourMinute(now.start_s)}`) : duration(now.end_s - now.start_s));
    text(peak, `peak ${surprise(now.peak)}`);
  }

  return { element, set };
}
