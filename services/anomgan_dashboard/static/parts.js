// Small pieces that several views show: states, severities, sparklines, the surprise's meter.

import { h, svg, text } from "./dom.js";
import { known, surprise } from "./format.js";

/** The states in order of the attention they need. Each has a shape of its own: colour alone tells nobody. */
export const STATES = ["anomalous", "silent", "warming up", "normal"];

const GLYPHS = {
  anomalous: () => svg("path", { d: "M8 1.8 15 14H1z" }),
  silent: () => svg("path", { d: "M3.5 3.5l9 9m0-9-9 9", fill: "none", "stroke-width": "2.4", "stroke-linecap": "round" }),
  "warming up": () => svg("path", { d: "M8 2.2a5.8 5.8 0 1 1-5.8 5.8", fill: "none", "stroke-width": "2.4", "stroke-linecap": "round" }),
  normal: () => svg("circle", { cx: 8, cy: 8, r: 5.2 }),
};

const LABELS = { anomalous: "Anomalous", silent: "Silent", "warming up": "Warming up", normal: "Normal" };

/** A state as shape and word. */
export function stateBadge(state) {
  const badge = h("span", { class: "state" });
  setState(badge, state);
  return badge;
}

export function setState(badge, state) {
  if (badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.replaceChildren(
    svg("svg", { class: "glyph", viewBox: "0 0 16 16", "aria-hidden": "true" }, GLYPHS[state]()),
    h("span", {}, LABELS[state]),
  );
}

export const stateLabel = (state) => LABELS[state];

/** How grave an event is. */
export const severityBadge = (severity) => h("span", { class: "severity", data: { severity } }, severity);

export const ISSUES = {
  silent: "silent", stuck: "stuck", out_of_range: "out of range", unit_jump: "in another unit", new_state: "in a new state",
  counter_reset: "began anew", duplicate: "sent twice", out_of_order: "out of order", late: "late", clock_skew: "clock wrong",
  buffered_burst: "held back",
};
const issueName = (issue) => `${issue.channel} ${ISSUES[issue.kind] ?? issue.kind}`.trim();

/** What is wrong with a device's data, not with its process: a mark with a few words, the reasons where one points at it. */
export function healthMark() {
  const words = h("span", {});
  const element = h("span", { class: "health", hidden: "" },
    svg("svg", { class: "glyph", viewBox: "0 0 16 16", "aria-hidden": "true" },
      svg("path", { d: "M8 1.5v8.2M8 12.6v1.9", fill: "none", "stroke-width": "2.6", "stroke-linecap": "round" })), words);
  return {
    element,
    set(issues) {
      element.hidden = issues.length === 0;
      const more = issues.length > 1 ? ` +${issues.length - 1}` : "";
      text(words, issues.length === 0 ? "" : `Data: ${issueName(issues[0])}${more}`);
      element.title = issues.map((issue) => issue.reason).join("\n");
    },
  };
}

/** The address of a device's page. */
export function deviceLink(site, device, more = {}) {
  const query = new URLSearchParams(site ? { site, device, ...more } : { device, ...more });
  return `/device?${query}`;
}

/** The address of an event's page: it can be shared. */
export const eventLink = (id) => `/event?${new URLSearchParams({ id })}`;

/** The address of a model's page. */
export const modelLink = (name) => `/models?${new URLSearchParams({ model: name })}`;

/** The surprise as a number and a bar in which the threshold has its mark. */
export function meter() {
  const value = h("span", { class: "value" });
  const fill = svg("rect", { class: "fill", height: 6, rx: 1 });
  const mark = svg("line", { class: "mark", y1: -2, y2: 8 });
  const bar = svg("svg", { class: "bar", viewBox: "0 -2 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "track", width: 100, height: 6, rx: 1 }), fill, mark);
  const element = h("span", { class: "meter" }, value, bar);
  return {
    element,
    set(now, threshold) {
      const top = Math.max(2 * threshold || 6, known(now) ? now : 0);
      text(value, surprise(now));
      fill.setAttribute("width", known(now) ? Math.max(1, (100 * now) / top) : 0);
      mark.setAttribute("visibility", known(threshold) ? "visible" : "hidden");
      const at = known(threshold) ? (100 * threshold) / top : 0;
      mark.setAttribute("x1", at);
      mark.setAttribute("x2", at);
      element.dataset.over = known(now) && known(threshold) && now >= threshold;
      element.title = known(now) && known(threshold) ? `Surprise ${surprise(now)}, threshold ${surprise(threshold)}` : "";
    },
  };
}

const SPARK = { width: 180, height: 34, pad: 3 };

/** The surprise of late; what lies above the threshold is drawn in the colour of alarm. */
export function sparkline() {
  const { width, height } = SPARK;
  const line = svg("line", { class: "threshold", x2: width });
  // Two nested viewports cut the same curve at the threshold, without clip paths and their page-wide names.
  const above = svg("svg", { width, height: 0 }, svg("path", { class: "above" }));
  const below = svg("svg", { width, height: 0 }, svg("path", { class: "below" }));
  const element = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, line, above, below);
  return {
    element,
    set(trail, threshold) {
      const top = Math.max(1.5 * threshold || 3, ...trail.filter(known));
      const y = (value) => height - SPARK.pad - (value / top) * (height - 2 * SPARK.pad);
      const step = width / 60;
      let pen = "M";
      let d = "";
      trail.forEach((value, i) => {
        if (!known(value)) {
          pen = "M";
          return;
        }
        d += `${pen}${(width - (trail.length - i - 0.5) * step).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = "L";
      });
      const cut = known(threshold) ? y(threshold) : 0;
      line.setAttribute("y1", cut);
      line.setAttribute("y2", cut);
      line.setAttribute("visibility", known(threshold) ? "visible" : "hidden");
      above.setAttribute("height", Math.max(0, cut));
      below.setAttribute("y", cut);
      below.setAttribute("height", height - cut);
      above.firstChild.setAttribute("d", d);
      below.firstChild.setAttribute("d", d);
      below.firstChild.setAttribute("transform", `translate(0 ${-cut})`);
    },
  };
}

/** What stands where there is nothing to show. */
export function emptyNote(title, detail) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", {}, detail));
}
