// The charts of one device, one under the other: they share their time, their cursor and their zoom.

import { createChart } from "./chart.js";
import { arrange, h } from "./dom.js";
import { number, percent, surprise } from "./format.js";

const WITNESSES = [["discriminator", "Discriminator"], ["reconstruction", "Reconstruction"], ["pattern", "Pattern"]];

/**
 * All charts of a device. `view()` -> {start, end}; `events()` -> shaded stretches; `on`: {zoom, pan, reset} as a chart
 * has them, and read(past, index): what the cursor points at, or where it would rest.
 */
export function chartBoard({ signal, view, events, on }) {
  const element = h("div", { class: "charts" });
  const cards = new Map();
  let past = null;
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

  function makeCard(title, unit, options, wide) {
    const values = h("span", { class: "values" });
    const plot = h("div", { class: "plot" });
    const card = { values, plot, chart: null, data: null, dirty: false, visible: false };
    card.options = { ...options, view, events, on: { ...on, cursor: point } };
    card.element = h("figure", { class: wide ? "card chart wide" : "card chart" },
      h("figcaption", {}, h("span", { class: "chart-title", title }, title), unit ? h("span", { class: "unit" }, unit) : null, values), plot);
    plot.style.height = `${options.height}px`;
    card.element.chartCard = card;
    watcher.observe(card.element);
    sizes.observe(plot);
    return card;
  }

  function give(id, make, columns) {
    if (!cards.has(id)) cards.set(id, make());
    const card = cards.get(id);
    card.data = [past.times, ...columns];
    card.dirty = true;
    draw(card);
    return card.element;
  }

  function draw(card) {
    if (!card.visible || !card.dirty) return;
    card.dirty = false;
    card.chart ??= createChart(card.plot, card.options);
    card.chart.set(card.data);
  }

  function redraw() {
    for (const card of cards.values()) {
      if (card.visible) card.chart?.redraw();
      else card.dirty = card.data !== null;
    }
  }

  /**
   * Show a history (of `openGaps`); the channels named in `first` stand before the others, and `focus` is the time
   * that is read out while no cursor points (null = the newest shown).
   */
  function set(next, first, focus) {
    past = next;
    const after = focus === null ? -1 : past.times.findIndex((time) => time >= focus);
    rest = after >= 0 ? after : past.times.length - 1;
    const threshold = () => past.threshold.findLast((value) => value !== null) ?? null;
    const surpriseChart = () => makeCard("Surprise", "", { height: 170, floor: 0, threshold,
      lines: [{ colour: "ink", width: 1.75 }, { colour: "alarm", width: 1.25, dash: [5, 4] }] }, true);
    const witnessChart = () => makeCard("Witnesses", "", { height: 140, floor: 0,
      lines: WITNESSES.map(([name]) => ({ colour: name, width: 1.25 })) }, true);
    const channelChart = (channel) => () => makeCard(channel.name, channel.unit, { height: 130, between: [1, 2],
      lines: [{ colour: "observed" }, { colour: "expected", width: 1.25, dash: [4, 3] }] }, false);
    const place = (channel) => (first.includes(channel.name) ? first.indexOf(channel.name) : first.length);
    const channels = [...past.channels].sort((a, b) => place(a) - place(b));
    arrange(element, [
      give("surprise", surpriseChart, [past.surprise, past.threshold]),
      give("witnesses", witnessChart, WITNESSES.map(([name]) => past[name])),
      ...channels.map((channel) => give(`channel ${channel.name}`, channelChart(channel), [channel.observed, channel.expected])),
    ]);
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
    const at = cursor !== null && cursor < past.times.length ? cursor : rest;
    const say = (id, parts) => cards.get(id).values.replaceChildren(...parts);
    say("surprise", [value("ink", surprise(past.surprise[at])), value("alarm", surprise(past.threshold[at]), "threshold")]);
    say("witnesses", WITNESSES.map(([name, label]) => value(name, surprise(past[name][at]), label)));
    for (const channel of past.channels) {
      say(`channel ${channel.name}`, [
        value("observed", number(channel.observed[at])), value("expected", number(channel.expected[at]), "expected"),
        h("span", { class: "share", title: "Share of the surprise" }, percent(channel.contribution[at]))]);
    }
    on.read(past, at);
  }

  return { element, set, redraw };
}

function value(colour, told, label = "") {
  return h("span", { class: "value", data: { colour } }, label ? h("span", { class: "label" }, label) : null, told);
}

/** A history as the API tells it, with its gaps opened: no line is drawn across one. */
export function openGaps(history) {
  const names = ["surprise", "threshold", ...WITNESSES.map(([name]) => name)];
  const fields = ["observed", "expected", "contribution"];
  const columns = [...names.map((name) => history[name]),
    ...history.channels.flatMap((channel) => fields.map((field) => channel[field]))];
  const [times, ...opened] = breakGaps(history.times, columns, history.gap_s);
  const past = { times };
  names.forEach((name, i) => { past[name] = opened[i]; });
  past.channels = history.channels.map(({ name, unit }, i) => {
    const [observed, expected, contribution] = opened.slice(names.length + 3 * i);
    return { name, unit, observed, expected, contribution };
  });
  return past;
}

/** Columns with a row of nulls in every gap, so that no line is drawn across it. */
function breakGaps(times, columns, gap) {
  const cuts = gap === null ? [] : times.flatMap((time, i) => (i > 0 && time - times[i - 1] > gap ? [i] : []));
  if (cuts.length === 0) return [times, ...columns];
  const open = (column, filler) => {
    const out = [];
    let from = 0;
    for (const cut of cuts) {
      for (let i = from; i < cut; i += 1) out.push(column[i]);
      out.push(filler(cut));
      from = cut;
    }
    for (let i = from; i < column.length; i += 1) out.push(column[i]);
    return out;
  };
  return [open(times, (cut) => (times[cut - 1] + times[cut]) / 2), ...columns.map((column) => open(column, () => null))];
}
