// The lane of sensor health: one thin row per channel whose data were sick in the stretch of time that is shown.

import { arrange, h, text } from "./dom.js";
import { dateTime, duration } from "./format.js";
import { ISSUES } from "./parts.js";

const ABOUT_ARRIVALS = new Set(["silent", "clock_skew", "duplicate", "out_of_order", "late"]);

/** The lane. `view()` -> {start, end}; times are drawn between the same edges as the charts' plots. */
export function healthLane({ view }) {
  const said = h("span", { class: "lane-said" });
  const rows = h("div", { class: "lane-rows" });
  const hair = h("span", { class: "lane-hair", hidden: true });
  const element = h("section", { class: "card chart wide lane", "aria-label": "Sensor health" },
    h("div", { class: "lane-head" }, h("span", { class: "chart-title" }, "Sensor health"), said),
    h("div", { class: "lane-plot" }, rows, hair));
  let issues = [];
  const bars = new Map();

  function set(told, now) {
    issues = told.map((issue) => (issue.open ? { ...issue, end_s: Math.max(issue.end_s, now) } : issue));
    redraw();
  }

  const share = (time) => {
    const { start, end } = view();
    return Math.min(1, Math.max(0, (time - start) / (end - start)));
  };

  function redraw() {
    const { start, end } = view();
    const shown = issues.filter((issue) => issue.start_s <= end && issue.end_s >= start);
    const channels = [...new Set(shown.map((issue) => issue.channel))].sort((a, b) => (a === "" ? -1 : b === "" ? 1 : a.localeCompare(b)));
    arrange(rows, channels.map((channel) => {
      const { row, track } = rowOf(channel);
      arrange(track, shown.filter((issue) => issue.channel === channel).map(barOf));
      return row;
    }));
    if (!element.contains(document.activeElement)) rest();
    element.toggleAttribute("data-empty", shown.length === 0);
  }

  /** What stands beside the title while nothing is pointed at. */
  function rest() {
    const open = issues.filter((issue) => issue.open);
    text(said, rows.childElementCount === 0 ? "nothing wrong with the data here" : open.length ? words(open[0]) : "");
  }

  const kept = new Map();
  function rowOf(channel) {
    if (!kept.has(channel)) {
      const track = h("span", { class: "lane-track" });
      kept.set(channel, { track, row: h("div", { class: "lane-row" }, h("span", { class: "lane-name", title: channel || "The whole device" }, channel || "whole device"), track) });
    }
    return kept.get(channel);
  }

  function barOf(issue) {
    if (!bars.has(issue.id)) {
      const made = h("button", { type: "button", class: "lane-bar", data: { kind: issue.kind } });
      for (const name of ["pointerenter", "focus", "click"]) made.addEventListener(name, () => text(said, words(made.issue)));
      for (const name of ["pointerleave", "blur"]) made.addEventListener(name, rest);
      bars.set(issue.id, made);
    }
    const bar = bars.get(issue.id);
    bar.issue = issue;
    bar.title = words(issue);
    bar.setAttribute("aria-label", words(issue));
    bar.style.left = `${100 * share(issue.start_s)}%`;
    bar.style.width = `${100 * (share(issue.end_s) - share(issue.start_s))}%`;
    return bar;
  }

  /** A line at the time that the charts' cursor points at; null = none. */
  function cursor(time) {
    hair.hidden = time === null || rows.childElementCount === 0;
    if (time !== null) hair.style.left = `${100 * share(time)}%`;
  }

  return { element, set, redraw, cursor };
}

/** "flow stuck: … · 12:03:10, for 4 min" */
function words(issue) {
  const since = `${dateTime(issue.start_s)}, ${issue.open ? "for" : "lasted"} ${duration(issue.end_s - issue.start_s)}`;
  const clock = ABOUT_ARRIVALS.has(issue.kind) ? ", by the clock of the arrivals" : "";
  return `${ISSUES[issue.kind] ?? issue.kind}: ${issue.reason} · ${since}${clock}`;
}
