// One event on a page of its own, which can be shared: what happened, what it should have looked like, what was like it.

import { ApiError, ask } from "./api.js";
import { chartBoard } from "./charts.js";
import { copyButton } from "./copy.js";
import { arrange, h, text } from "./dom.js";
import { noteWords, stateWords } from "./event.js";
import { dateTime, day, duration, hourMinute, odds, percent, quantity, surprise, timeOfDay, timeSpan } from "./format.js";
import { feedbackButtons } from "./feedback.js";
import { orderList, placesOf } from "./order.js";
import { deviceLink, emptyNote, eventLink, modelLink, severityBadge } from "./parts.js";
import { openGaps } from "./past.js";
import { aroundEvent, moved, zoomed } from "./range.js";

const POLL_MS = 2000;
const POINTS = 1200;
const MOST_SHOWN = 6;
const SAID = { "false-alarm": "False alarm", real: "Real", maintenance: "Maintenance" };

export function eventView(query, { signal, hear, hurry }) {
  const id = query.get("id") ?? "";
  let event = null;
  let shown = null;
  let asked = ""; // which history is drawn
  let others = [];
  let chosen = null; // a stretch that the viewer has chosen, null = around the event
  let everything = false;
  let history = null;
  let issues = [];
  let newest = null;
  let revision = -1;
  let store = "";

  // ---------------------------------------------------------------- the frame
  const severity = h("span", {});
  const state = h("span", { class: "event-state", role: "status" });
  const crumb = h("p", { class: "crumb" });
  const sentence = h("h1", { class: "sentence" });
  const note = h("p", { class: "facts note-of-event", hidden: true });
  const feedback = feedbackButtons({ done: () => hurry() });
  const facts = h("dl", { class: "event-facts" });
  const toDevice = h("a", { class: "button" }, "Device page");
  const span = h("span", { class: "span" });
  const pointed = h("span", { class: "pointed", title: "Time under the cursor" });
  const reset = h("button", { type: "button", hidden: true, on: { click: () => choose(null) } }, "Back to the event");
  const all = h("button", { type: "button", "aria-pressed": "false", on: { click: toggleAll } }, "All channels");
  const board = chartBoard({
    signal,
    view: () => shown ?? { start: 0, end: 1 },
    events: () => others,
    on: {
      zoom: (start, end) => choose({ start, end }),
      zoomAt: (factor, time) => choose(zoomed(shown, factor, time)),
      pan: (seconds) => choose(moved(shown, seconds)),
      reset: () => choose(null),
      read: (past, at, pointing) => text(pointed, pointing ? timeOfDay(past.times[at]) : ""),
    },
  });
  const legend = h("p", { class: "legend" },
    h("span", { class: "key", data: { key: "observed" } }, "observed"), h("span", { class: "key", data: { key: "expected" } }, "expected"),
    h("span", { class: "key", data: { key: "band" } }, "where normal readings lie"), h("span", { class: "key", data: { key: "outside" } }, "outside of it"));
  const imputed = h("p", { class: "facts", hidden: true },
    "In the event this was imputed: from the channels that are not to blame and the readings before. 90 % of what is likely lies in its band.");
  const plots = h("section", { class: "event-plots", "aria-label": "What it should have looked like" },
    h("div", { class: "plots-head" }, h("h2", {}, "What it should have looked like"), h("span", { class: "plots-tools" }, pointed, span, reset, all)), legend, imputed, board.element);
  const peak = h("ol", { class: "peak-list" });
  const order = h("div", { class: "order-slot" });
  const alike = h("div", { class: "alike" });
  const said = h("ul", { class: "record" });
  const saidCard = card("What was said of it", said);
  const orderCard = card("In this order channels left normal", order);
  const partsCard = card("The devices", h("div", { class: "alike parts" }));
  const side = h("aside", {}, card("Share of the surprise at the peak", peak), orderCard, card("Similar events", alike), saidCard);
  const body = h("div", { class: "device-body", hidden: true }, h("div", { class: "main-column" }, plots, partsCard), side);
  const head = h("div", { class: "event-top", hidden: true },
    h("div", { class: "event-head" }, severity, state, h("span", { class: "buttons" }, toDevice, copyButton(() => eventLink(id)))),
    sentence, note, facts, feedback.element);
  const empty = h("div", { class: "note" });
  const element = h("section", { class: "page event-page" }, crumb, empty, head, body);

  // ---------------------------------------------------------------- the stretch of time
  function choose(next) {
    if (shown === null) return;
    chosen = next;
    shown = next ?? aroundEvent(event);
    reset.hidden = chosen === null;
    text(span, timeSpan(shown.start, shown.end));
    board.redraw();
    hurry();
  }

  function toggleAll() {
    everything = !everything;
    all.setAttribute("aria-pressed", String(everything));
    draw();
  }

  // ---------------------------------------------------------------- what is told
  function paint(answer) {
    const device = h("a", { href: deviceLink(event.site, event.device, { event: event.id }) }, event.device);
    crumb.replaceChildren(h("a", { href: "/events" }, "Events"), " / ", ...(event.site ? [`${event.site} / `] : []), event.members ? event.device : device);
    severity.replaceChildren(severityBadge(event.severity));
    text(state, stateWords(event, answer.newest_s));
    head.dataset.state = event.state;
    text(sentence, event.reason);
    if (event.part_of) note.replaceChildren("Told as part of ", h("a", { href: eventLink(event.part_of) }, "an event of many devices"), ".");
    else text(note, noteWords(event));
    note.hidden = note.textContent === "";
    toDevice.hidden = event.members > 0;
    toDevice.setAttribute("href", deviceLink(event.site, event.device, { event: event.id }));
    paintFacts();
    feedback.set(event, answer.mutes);
    arrange(peak, event.channels.map((channel) => h("li", {}, h("span", { class: "name" }, channel.name),
      h("span", { class: "amount" }, percent(channel.contribution)),
      h("span", { class: "detail" }, `${quantity(channel.observed, channel.unit)}, expected ${quantity(channel.expected, channel.unit)}`))));
    orderCard.hidden = event.onsets.length === 0;
    if (event.onsets.length > 0) order.replaceChildren(orderList(event), h("p", { class: "quiet" }, "Closer than three readings, two are not told apart."));
    partsCard.hidden = answer.parts.length === 0;
    arrange(partsCard.lastElementChild, answer.parts.map((part) => similarRow(part, part.device)));
    const rows = answer.similar.map((one) => similarRow(one, one.device === event.device && one.site === event.site ? "" : one.device));
    arrange(alike, rows.length ? rows : [h("p", { class: "quiet" }, "Nothing like it is remembered.")]);
    saidCard.hidden = answer.said.length === 0;
    arrange(said, answer.said.map((entry) => h("li", {}, h("time", { class: "when" }, dateTime(entry.time_s)),
      ` ${entry.client || "somebody"}: ${entry.says ? SAID[entry.says] : "taken back"}`)));
  }

  function paintFacts() {
    const told = [
      ["Began", dateTime(event.start_s)],
      event.state === "open" ? ["Ended", "not yet"] : ["Ended", day(event.start_s) === day(event.end_s) ? timeOfDay(event.end_s) : dateTime(event.end_s)],
      ["Peak surprise", `${surprise(event.peak)} at ${timeOfDay(event.peak_s)}`],
      ["Threshold", surprise(event.threshold)],
      ["Chance when normal", odds(event.peak)],
      ...(event.model ? [["Model", h("a", { href: modelLink(event.model) }, event.model)]] : []),
    ];
    arrange(facts, told.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  }

  function draw() {
    if (history === null) return;
    const first = [...new Set([...event.channels.map((channel) => channel.name), ...event.onsets.map((onset) => onset.name)])];
    imputed.hidden = !history.channels.some((channel) => first.includes(channel.name) && channel.imputed.some((low) => low !== null));
    all.hidden = Math.min(first.length, MOST_SHOWN) >= history.channels.length;
    text(all, everything ? "Only those that matter" : `All ${history.channels.length} channels`);
    board.set(history, { first, only: everything ? history.channels.map((channel) => channel.name) : first.slice(0, MOST_SHOWN),
      focus: event.peak_s, onsets: placesOf(event), issues, now: newest });
  }

  // ---------------------------------------------------------------- the turn
  async function turn(abort) {
    let answer;
    try {
      answer = await ask("event", { id }, abort);
    } catch (error) {
      if (!(error instanceof ApiError) || ![404, 503].includes(error.status)) throw error;
      if (event === null) empty.replaceChildren(error.status === 404
        ? emptyNote("No such event", "It may be older than what the store keeps, or the store was made anew.")
        : emptyNote("Waiting for the first readings", "The store is empty so far."));
      throw error;
    }
    hear(answer);
    event = answer.event;
    newest = answer.newest_s;
    empty.replaceChildren();
    [head.hidden, body.hidden] = [false, false];
    plots.hidden = event.members > 0;
    paint(answer);
    if (event.members > 0) return POLL_MS;
    if (chosen === null) shown = aroundEvent(event);
    text(span, timeSpan(shown.start, shown.end));
    const { start, end } = shown;
    const key = JSON.stringify([start, end, store]);
    const fresh = key !== asked;
    if (fresh || newest <= end + 60 || event.state === "open") {
      const past = await ask("device", { site: event.site, device: event.device, start, end, points: POINTS, since: fresh ? -1 : revision, store }, abort);
      if (start !== shown.start || end !== shown.end) return 0;
      if (past.changed) {
        ({ store } = past);
        ({ revision } = past.device);
        asked = JSON.stringify([start, end, store]);
        history = openGaps(past.history);
        issues = past.issues;
        others = past.events.map((one) => ({ ...one, selected: one.id === id, end_s: one.state === "open" ? past.device.time_s : one.end_s }));
        draw();
      }
    }
    return POLL_MS;
  }

  function key(pressed) {
    if (shown === null || pressed.target.closest("a, summary")) return;
    const length = shown.end - shown.start;
    const actions = { ArrowLeft: () => choose(moved(shown, -length / 4)), ArrowRight: () => choose(moved(shown, length / 4)),
      "+": () => choose(zoomed(shown, 0.5)), "-": () => choose(zoomed(shown, 2)), Escape: () => choose(null) };
    if (!(pressed.key in actions)) return;
    pressed.preventDefault();
    actions[pressed.key]();
  }

  return { element, title: "Event", turn, key };
}

const card = (title, ...content) => h("section", { class: "card" }, h("h2", {}, title), content);

/** Another event as a line with a link; `named` is its device, where that is another one. */
function similarRow(other, named) {
  const open = other.state === "open";
  return h("article", { class: "alike-row", data: { state: other.state } },
    h("a", { class: "entry-link", href: eventLink(other.id) }, `${day(other.start_s)}, ${hourMinute(other.start_s)}`),
    named ? h("span", { class: "name" }, named) : null,
    h("span", { class: "amount", title: "Likeness: 100 % = the same channels by the same shares in the same directions" },
      other.likeness === undefined ? `peak ${surprise(other.peak)}` : `${percent(other.likeness)} alike`),
    h("span", { class: "channels-of" }, other.channels.map((one) => `${one.name} ${arrow(one)}`).join(", ")),
    h("span", { class: "verdict", data: { said: other.said } }, SAID[other.said] ?? (open ? "open" : `nothing said, lasted ${duration(other.end_s - other.start_s)}`)));
}

const arrow = ({ observed, expected }) => (observed === null ? "missing" : observed > expected ? "↑" : observed < expected ? "↓" : "=");
