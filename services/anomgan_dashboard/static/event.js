// What is said of one event, and which channels the surprise comes from.

import { copyButton } from "./copy.js";
import { arrange, h, text } from "./dom.js";
import { dateTime, duration, known, percent, quantity, surprise, timeOfDay, timeSpan } from "./format.js";
import { feedbackButtons } from "./feedback.js";
import { orderLine } from "./order.js";
import { eventLink, severityBadge } from "./parts.js";

const ENDED = { closed: "Closed", muted: "Muted", false_alarm: "False alarm" };

/** "Open for 4 min", "Closed, lasted 4 min". */
export const stateWords = (event, newest) => (event.state === "open"
  ? `Open for ${duration(newest - event.start_s)}` : `${ENDED[event.state]}, lasted ${duration(event.end_s - event.start_s)}`);

/** What stands under the sentence: why it is muted, or what a person has said. */
export const noteWords = (event) => (event.part_of ? `Told as part of ${event.part_of}.` : event.note);

/** The table of an event's channels at its peak. */
function channelTable() {
  const body = h("tbody");
  const element = h("table", { class: "channels" },
    h("thead", {}, h("tr", {}, ["Channel", "Observed", "Expected", "Share"].map((name) => h("th", { scope: "col" }, name)))), body);
  return {
    element,
    set(channels) {
      body.replaceChildren(...channels.map((channel) => h("tr", {},
        h("th", { scope: "row" }, channel.name),
        h("td", {}, quantity(channel.observed, channel.unit)),
        h("td", {}, quantity(channel.expected, channel.unit)),
        h("td", {}, percent(channel.contribution)))));
    },
  };
}

/** The panel of an event. `show(event)` and `close()` are what its buttons do. */
export function eventPanel({ show, close }) {
  let event = null;
  const severity = h("span", {});
  const state = h("span", { class: "event-state" });
  const reason = h("p", { class: "sentence" });
  const note = h("p", { class: "facts note-of-event", hidden: true });
  const order = h("p", { class: "facts order-line", hidden: true });
  const feedback = feedbackButtons();
  const facts = h("p", { class: "facts" });
  const table = channelTable();
  const zoomButton = h("button", { type: "button", on: { click: () => show(event) } }, "Show this event");
  const closeButton = h("button", { type: "button", on: { click: close } }, "Close");
  const page = h("a", { class: "button" }, "Event page");
  const element = h("section", { class: "card event-panel", "aria-label": "Event" },
    h("div", { class: "event-head" }, severity, state, h("span", { class: "buttons" }, zoomButton, page, copyButton(() => eventLink(event.id)), closeButton)),
    reason, note, facts, order, feedback.element, table.element);

  function set(next, selected, newest, mutes) {
    if (next === null || next === undefined) return;
    event = next;
    element.dataset.severity = event.severity;
    severity.replaceChildren(severityBadge(event.severity));
    const open = event.state === "open";
    text(state, stateWords(event, newest));
    element.dataset.state = event.state;
    text(reason, event.reason);
    text(note, noteWords(event));
    note.hidden = note.textContent === "";
    text(order, orderLine(event));
    order.hidden = order.textContent === "";
    page.setAttribute("href", eventLink(event.id));
    feedback.set(event, mutes);
    text(facts, `${open ? `Since ${dateTime(event.start_s)}` : timeSpan(event.start_s, event.end_s)}. `
      + `Peak surprise ${surprise(event.peak)} at ${timeOfDay(event.peak_s)}, threshold ${surprise(event.threshold)}.`);
    zoomButton.hidden = selected;
    closeButton.hidden = !selected;
    table.set(event.channels);
  }

  return { element, set };
}

/** Bars: how much each channel contributes to the surprise at one time. */
export function contributionPanel() {
  const when = h("span", { class: "when" });
  const list = h("ol", { class: "bars" });
  const rows = new Map();
  const element = h("section", { class: "card" }, h("h2", {}, "Share of the surprise", when), list);

  function set(channels, at, time) {
    text(when, known(time) ? `at ${timeOfDay(time)}` : "");
    const shares = channels.map((channel) => [channel.name, channel.contribution[at] ?? null]);
    shares.sort((a, b) => (b[1] ?? -1) - (a[1] ?? -1));
    arrange(list, shares.slice(0, 8).map(([name, share]) => {
      if (!rows.has(name)) {
        const amount = h("span", { class: "amount" });
        const fill = h("span", { class: "fill" });
        rows.set(name, { amount, fill, element: h("li", {}, h("span", { class: "name", title: name }, name), h("span", { class: "track" }, fill), amount) });
      }
      const row = rows.get(name);
      text(row.amount, percent(share));
      row.fill.style.width = `${Math.round(100 * (share ?? 0))}%`;
      return row.element;
    }));
  }

  return { element, set };
}
