// One device: its surprise, its witnesses, and every channel beside what was expected of it.

import { ApiError, ask } from "./api.js";
import { chartBoard } from "./charts.js";
import { arrange, h, text } from "./dom.js";
import { contributionPanel, eventPanel } from "./event.js";
import { eventRow } from "./events.js";
import { ago, dateTime, odds, surprise, timeOfDay, timeSpan } from "./format.js";
import { placesOf } from "./order.js";
import { emptyNote, modelLink, setState, stateBadge } from "./parts.js";
import { openGaps } from "./past.js";
import { DEFAULT_S, RANGES, aroundEvent, isLive, moved, pauseMs, rangeParameters, rangeQuery, readRange, zoomed } from "./range.js";

const HINT = "Drag to zoom; Shift and drag, or swipe sideways, to pan; Ctrl and wheel, or pinch, to zoom; double click for live.";
const SETTLED_MS = 300;

export function deviceView(query, { signal, setAddress, hear, hurry }) {
  const site = query.get("site") ?? "";
  const device = query.get("device") ?? "";
  let selected = query.get("event");
  let range = readRange(query);
  let lasting = range.last ?? DEFAULT_S; // what Live goes back to
  let settling = 0;
  let fitting = selected !== null && !query.has("start"); // a link to an event: show its stretch once it is known
  let store = "";
  let revision = -1;
  let shown = null;
  let told = null;
  let events = [];

  // ---------------------------------------------------------------- the frame
  const board = chartBoard({
    signal,
    view: () => shown ?? { start: 0, end: 1 },
    events: () => events,
    on: {
      zoom: (start, end) => setRange({ start, end }),
      zoomAt: (factor, time) => shown && setRange(zoomed(shown, factor, time), false),
      pan: (seconds) => shown && setRange(moved(shown, seconds), false),
      reset: () => setRange({ last: lasting }),
      read(past, at, pointing) {
        contribution.set(past.channels, at, past.times[at]);
        text(pointed, pointing ? timeOfDay(past.times[at]) : "");
      },
    },
  });

  const badge = stateBadge("warming up");
  const [nowFigure, oddsFigure, seenFigure] = ["Surprise", "Chance when normal", "Last seen"].map(figure);
  const figures = h("dl", { class: "figures" }, nowFigure.element, oddsFigure.element, seenFigure.element);
  const model = h("span", { class: "model" });
  const health = h("ul", { class: "health-list", "aria-label": "What is wrong with its data" });
  const rangeButtons = [...RANGES, ["all", "All"]].map(([value, name]) => h("button", {
    type: "button", data: { value }, on: { click: () => setRange(value === "all" ? { all: true } : { last: value }) },
  }, name));
  const tool = (label, sign, action) => h("button", { type: "button", "aria-label": label, title: label, on: { click: action } }, sign);
  const live = h("button", { type: "button", class: "live", on: { click: () => toggleLive() } }, "Live");
  const span = h("span", { class: "span" });
  const pointed = h("span", { class: "pointed", title: "Time under the cursor" });
  const panelSlot = h("div", { class: "panel-slot" });
  const contribution = contributionPanel();
  const recentList = h("div", { class: "log" });
  const recentNone = h("p", { class: "quiet" }, "No events yet.");
  const allEvents = h("a", { href: `/events?${new URLSearchParams({ site, device })}` }, "All events of this device");
  const content = h("div", { class: "device-body" },
    h("div", { class: "main-column" }, panelSlot, board.element, h("p", { class: "hint" }, HINT)),
    h("aside", {}, contribution.element, h("section", { class: "card" }, h("h2", {}, "Events"), recentList, recentNone, allEvents)));
  const note = h("div", { class: "note" });
  const toolbar = h("div", { class: "toolbar", role: "group", "aria-label": "Time range" },
    h("div", { class: "segments" }, rangeButtons),
    h("div", { class: "segments tools" },
      tool("Earlier (left arrow)", "←", () => pan(-0.5)), tool("Later (right arrow)", "→", () => pan(0.5)),
      tool("Zoom in (+)", "+", () => zoom(0.5)), tool("Zoom out (−)", "−", () => zoom(2))),
    live, pointed, span);
  const element = h("section", { class: "page" },
    h("div", { class: "device-head" },
      h("div", { class: "title" }, h("p", { class: "crumb" }, h("a", { href: "/" }, "Fleet"), site ? ` / ${site}` : ""),
        h("h1", {}, device, " ", badge), model, health),
      figures),
    toolbar, note, content);
  for (const part of [badge, figures, toolbar, content]) part.hidden = true; // until there is something to say

  // ---------------------------------------------------------------- the stretch of time
  function setRange(next, push = true) {
    range = next;
    if (range.last) lasting = range.last;
    if (!isLive(range)) shown = { start: range.start, end: range.end };
    clearTimeout(settling); // a wheel turns often, and browsers take only so many addresses
    if (push) remember(true);
    else settling = setTimeout(remember, SETTLED_MS);
    revision = -1;
    paintToolbar();
    board.redraw();
    hurry();
  }

  function remember(push = false) {
    if (!signal.aborted) setAddress({ site, device, ...rangeQuery(range), event: selected }, push);
  }

  function toggleLive() {
    setRange(isLive(range) && shown !== null ? { ...shown } : { last: lasting });
  }

  function pan(part) {
    if (shown !== null) setRange(moved(shown, part * (shown.end - shown.start)), false);
  }

  function zoom(factor) {
    if (shown !== null) setRange(zoomed(shown, factor), false);
  }

  function select(event) {
    selected = event === null ? null : event.id;
    setRange(event === null ? range : aroundEvent(event));
    paintEvents();
  }

  function paintToolbar() {
    for (const button of rangeButtons) {
      button.setAttribute("aria-pressed", String(button.dataset.value === String(range.all ? "all" : range.last)));
    }
    live.setAttribute("aria-pressed", String(isLive(range)));
    text(span, shown === null ? "" : timeSpan(shown.start, shown.end));
  }

  // ---------------------------------------------------------------- events
  const rows = new Map();
  const panel = eventPanel({ close: () => select(null), show: select });

  const chosenEvent = () => [...told.recent, ...events].find((event) => event.id === selected) ?? null;

  function paintEvents() {
    for (const event of events) event.selected = event.id === selected;
    const chosen = chosenEvent() ?? told.device.event;
    panel.set(chosen, chosen?.id === selected, told.newest_s, told.mutes);
    arrange(panelSlot, chosen ? [panel.element] : []);
    arrange(recentList, told.recent.map((event) => {
      if (!rows.has(event.id)) rows.set(event.id, eventRow(event, { brief: true }));
      const row = rows.get(event.id);
      row.set(event);
      row.element.toggleAttribute("data-selected", event.id === selected);
      return row.element;
    }));
    recentNone.hidden = told.recent.length > 0;
    allEvents.hidden = told.recent.length === 0;
  }

  // ---------------------------------------------------------------- the turn
  async function turn(abort) {
    let asked = range;
    let answer;
    try {
      if (fitting) {
        const { event } = await ask("event", { id: selected }, abort);
        range = aroundEvent(event);
        fitting = false;
        asked = range;
      }
      answer = await ask("device", { site, device, ...rangeParameters(range), since: revision, store, points: points() }, abort);
    } catch (error) {
      if (!(error instanceof ApiError) || ![404, 503].includes(error.status)) throw error;
      fitting = fitting && error.status === 503;
      if (told === null) note.replaceChildren(error.status === 404
        ? emptyNote("No such device", "It may have another name, or the store was made anew.")
        : emptyNote("Waiting for the first readings", "The store is empty so far."));
      throw error;
    }
    hear(answer);
    if (asked !== range) return 0; // another stretch was chosen meanwhile
    note.replaceChildren();
    for (const part of [badge, figures, toolbar, content]) part.hidden = false;
    shown = { start: answer.start, end: answer.end };
    paintHead(answer);
    paintToolbar();
    if (answer.changed) {
      told = answer;
      ({ store } = answer);
      ({ revision } = answer.device);
      // An open event goes on for as long as its device does, whatever end it has been told with so far.
      events = answer.events.map((event) => (event.state === "open" ? { ...event, end_s: answer.device.time_s } : event));
      paintEvents();
      const chosen = chosenEvent();
      // A selected event's channels come first, in its order, and are read out at its peak.
      board.set(openGaps(answer.history), {
        first: chosen?.channels.map((channel) => channel.name) ?? [],
        focus: chosen?.peak_s ?? null,
        onsets: placesOf(chosen ?? answer.device.event),
        issues: answer.issues,
        now: answer.newest_s,
      });
    } else if (isLive(range)) board.redraw();
    return pauseMs(range, shown);
  }

  const points = () => Math.min(2000, Math.max(300, Math.round(board.element.clientWidth / 100) * 100 || 800));

  function paintHead(answer) {
    const now = answer.device;
    setState(badge, now.state);
    if (model.textContent !== (now.model && `Model ${now.model}`)) {
      model.replaceChildren(...(now.model ? [h("a", { href: modelLink(now.model) }, `Model ${now.model}`)] : []));
    }
    health.replaceChildren(...now.health.map((issue) => h("li", { class: "health" }, issue.reason)));
    nowFigure.set(surprise(now.surprise), `threshold ${surprise(now.threshold)}`, now.surprise >= now.threshold);
    oddsFigure.set(odds(now.surprise), "");
    seenFigure.set(ago(now.seen_s, answer.now_s), dateTime(now.time_s));
  }

  function pressed(event) {
    const actions = { ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25), "+": () => zoom(0.5), "-": () => zoom(2),
      l: toggleLive, Escape: () => (selected !== null ? select(null) : setRange({ last: lasting })) };
    if (!(event.key in actions) || event.target.closest("a, summary")) return;
    event.preventDefault();
    actions[event.key]();
  }

  paintToolbar();
  return { element, title: device, turn, key: pressed };
}

function figure(name) {
  const main = h("dd", {});
  const small = h("dd", { class: "small" });
  return {
    element: h("div", { class: "figure" }, h("dt", {}, name), main, small),
    set(value, detail, alarm = false) {
      text(main, value);
      text(small, detail);
      main.toggleAttribute("data-alarm", alarm);
    },
  };
}
