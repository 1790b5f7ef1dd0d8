// The charts of one device, one under the other: they share their time, their cursor and their zoom.

import { createChart } from "./chart.js";
import { arrange, h, text } from "./dom.js";
import { number, percent, span as range, surprise, timeOfDay } from "./format.js";
import { healthLane } from "./lane.js";
import { WITNESSES } from "./past.js";

/**
 * All charts of a device. `view()` -> {start, end}; `events()` -> shaded stretches; `on`: {zoom, zoomAt, pan, reset} as a
 * chart has them, and read(past, index, pointing): what the cursor points at, or where it would rest.
 */
export function chartBoard({ signal, view, events, on }) {
  const element = h("div", { class: "charts" });
  const lane = healthLane({ view });
  const cards = new Map();
  let past = null;
  let about = { first: [], only: null, focus: null, onsets: [], issues: [], now: 0 };
  let cursor = null;
  let rest = 0;

  // A device may have a hundred channels: only charts in sight are drawn.
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const card = entry.target.chartCard;
      card.visible = entry.isIntersecting;
      draw(card);
    }
  }, { rootMargin: "150px" });
  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) entry.target.closest("figure").chartCard.chart?.resize();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw, { signal });
  signal.addEventListener("abort", () => {
    watcher.disconnect();
    sizes.disconnect();
    for (const card of cards.values()) card.chart?.destroy();
  });

  function makeCard(title, detail, width, options, channel = null) {
    const values = h("span", { class: "values" });
    const plot = h("div", { class: "plot" });
    const card = { values, plot, chart: null, data: null, band: null, dirty: false, visible: false };
    const marks = () => ({
      events: events(),
      onsets: channel === null ? [] : about.onsets.filter((onset) => onset.name === channel),
      issues: channel === null ? [] : about.issues.filter((issue) => issue.channel === channel || issue.channel === ""),
    });
    card.options = { ...options, view, marks, on: { ...on, cursor: point } };
    card.share = channel === null ? null : h("span", { class: "share", title: "Share of the surprise" });
    card.element = h("figure", { class: `card chart ${width}` },
      h("figcaption", {}, h("span", { class: "chart-title", title: detail }, title), values, card.share), plot);
    plot.style.height = `${options.height}px`;
    card.element.chartCard = card;
    watcher.observe(card.element);
    sizes.observe(plot);
    return card;
  }

  function give(id, make, columns, band = null) {
    if (!cards.has(id)) cards.set(id, make());
    const card = cards.get(id);
    card.data = [past.times, ...columns];
    card.band = band;
    card.dirty = true;
    draw(card);
    return card.element;
  }

  function draw(card) {
    if (!card.visible || !card.dirty) return;
    card.dirty = false;
    card.chart ??= createChart(card.plot, card.options);
    card.chart.set(card.data, card.band);
  }

  function redraw() {
    for (const card of cards.values()) {
      if (card.visible) card.chart?.redraw();
      else card.dirty = card.data !== null;
    }
    lane.redraw();
  }

  /**
   * Show a history (of `openGaps`). `next`: first, names of channels that stand before the others; only, names of those
   * that are shown at all, null = all; focus, the time that is read out while no cursor points, null = the newest;
   * onsets, [{name, time_s, place}]; issues of the data; now, the newest time.
   */
  function set(history, next) {
    past = history;
    about = { ...about, ...next };
    const after = about.focus === null ? -1 : past.times.findIndex((time) => time >= about.focus);
    rest = after >= 0 ? after : past.times.length - 1;
    const limit = () => past.threshold.findLast((value) => value !== null) ?? 1;
    const highest = () => [0, Math.max(limit() * 1.25, ...WITNESSES.flatMap(([name]) => past[name].map((value) => value ?? 0)))];
    const surpriseChart = () => makeCard("Surprise", "How rare a normal window so odd is: 3 = one in a thousand", "wide", {
      height: 170, floor: 0, reach: () => [0, limit() * 1.25],
      lines: [{ colour: "ink", width: 1.75 }, { colour: "alarm", width: 1.25, dash: [5, 4] }] });
    const witnessChart = ([name, title, detail]) => () => makeCard(title, detail, "third", {
      height: 110, floor: 0, reach: highest, lines: [{ colour: name, width: 1.25 }] });
    const channelChart = (channel) => () => makeCard(channel.name, channel.name, "half", {
      height: 130, lines: [{ colour: "observed" }, { colour: "expected", width: 1.25, dash: [4, 3] }] }, channel.name);
    const place = (channel) => (about.first.includes(channel.name) ? about.first.indexOf(channel.name) : about.first.length);
    const channels = [...past.channels].sort((a, b) => place(a) - place(b))
      .filter((channel) => about.only === null || about.only.includes(channel.name));
    const ofChannels = channels.map((channel) => give(`channel ${channel.name}`, channelChart(channel),
      [channel.observed, channel.expected], { low: channel.low, high: channel.high, outside: channel.outside }));
    // Of an odd number the first, which matters most, has the whole width.
    const leads = about.only !== null && channels.length % 2 === 1;
    ofChannels.forEach((one, i) => one.classList.toggle("lead", leads && i === 0));
    lane.set(about.issues, about.now);
    const ofDevice = [
      give("surprise", surpriseChart, [past.surprise, past.threshold]),
      ...WITNESSES.map((witness) => give(witness[0], witnessChart(witness), [past[witness[0]]])),
      lane.element,
    ];
    arrange(element, about.only === null ? [...ofDevice, ...ofChannels] : [...ofChannels, ...ofDevice]);
    readOut();
  }

  function point(index) {
    if (index === cursor) return;
    cursor = index;
    readOut();
  }

  /** What the heads of the charts say: at the cursor, or where it would rest. */
  function readOut() {
    if (past === null) return;
    const pointing = cursor !== null && cursor < past.times.length;
    const at = pointing ? cursor : rest;
    const time = past.times[at];
    const say = (id, parts) => cards.get(id)?.values.replaceChildren(...parts);
    say("surprise", [h("span", { class: "at" }, time === undefined ? "" : timeOfDay(time)),
      value("ink", surprise(past.surprise[at])), value("alarm", surprise(past.threshold[at]), "threshold")]);
    for (const [name] of WITNESSES) say(name, [value(name, surprise(past[name][at]))]);
    for (const channel of past.channels) {
      const banded = channel.low !== null && channel.low[at] !== null && channel.low[at] !== undefined;
      const meant = banded ? range(channel.low[at], channel.high[at]) : number(channel.expected[at]);
      const beyond = banded && channel.outside[at] !== null;
      say(`channel ${channel.name}`, [
        value(beyond ? "outside" : "observed", number(channel.observed[at]), "", channel.unit),
        value("expected", meant, (channel.imputed[at] ?? null) === null ? "expected" : "imputed")]);
      const share = cards.get(`channel ${channel.name}`)?.share;
      if (share) text(share, percent(channel.contribution[at]));
    }
    lane.cursor(pointing ? time : null);
    on.read(past, at, pointing);
  }

  return { element, set, redraw };
}

function value(colour, told, label = "", unit = "") {
  return h("span", { class: "value", data: { colour } }, label ? h("span", { class: "label" }, label) : null, told,
    unit ? h("span", { class: "unit" }, ` ${unit}`) : null);
}
