// Pieces of the model pages: the role and the game in a word, and the alarm budget as a strip.

import { h, svg } from "./dom.js";
import { known, number } from "./format.js";

const ROLES = { champion: "Judges", challenger: "In its shadow", retired: "No longer used" };

const BALANCES = {
  balanced: ["Balanced", "good"], narrow: ["Narrow", "doubt"], "one-sided": ["One-sided", "doubt"],
  oscillating: ["Oscillating", "doubt"], collapsed: ["Collapsed", "bad"], unknown: ["Not known", "none"],
};

const SIGNS = {
  good: () => svg("circle", { cx: 8, cy: 8, r: 5.2 }),
  doubt: () => svg("path", { d: "M8 2 14 8 8 14 2 8z", fill: "none", "stroke-width": "2" }),
  bad: () => svg("path", { d: "M8 1.8 15 14H1z" }),
  none: () => svg("path", { d: "M3 8h10", fill: "none", "stroke-width": "2.2", "stroke-linecap": "round" }),
};

export const roleBadge = (role) => h("span", { class: "role", data: { role } }, ROLES[role] ?? role);

/** How the adversarial game went, as shape and word. */
export function balanceBadge(balance) {
  const [word, kind] = BALANCES[balance] ?? BALANCES.unknown;
  return h("span", { class: "balance", data: { kind } },
    svg("svg", { class: "glyph", viewBox: "0 0 16 16", "aria-hidden": "true" }, SIGNS[kind]()), h("span", {}, word));
}

/** A figure that is known roughly. */
export const rough = (value) => (known(value) && value !== 0 ? number(Number(value.toPrecision(2))) : number(value));

/** An exposure as people count it: device-weeks, or less. */
export function weeksOf(weeks) {
  if (weeks >= 0.95) return `${rough(weeks)} device-weeks`;
  const hours = weeks * 168;
  return hours >= 24 ? `${rough(hours / 24)} device-days` : hours >= 1 ? `${rough(hours)} device-hours` : `${rough(60 * hours)} device-minutes`;
}

const STRIP = { height: 30, pad: 14, low: -2, high: 4 };

/** Alarms a week on a logarithmic scale: the budget as a mark, what is stored as a point with its interval. */
export function budgetStrip(alarms, width = 240) {
  const { height, pad, low, high } = STRIP;
  const x = (rate) => pad + ((Math.min(high, Math.max(low, Math.log10(Math.max(rate, 1e-9)))) - low) / (high - low)) * (width - 2 * pad);
  const told = known(alarms.rate)
    ? `${rough(alarms.rate)} events a week and device, 95 % interval ${rough(alarms.low)} to ${rough(alarms.high)}; ${number(alarms.promised)} promised`
    : `${number(alarms.promised)} alarms a week and device promised; nothing judged yet`;
  const over = known(alarms.low) && alarms.low > alarms.promised;
  const ticks = [-2, 0, 2, 4].map((power) => svg("text", { class: "tick", x: x(10 ** power), y: height - 1, "text-anchor": "middle" },
    number(10 ** power)));
  return svg("svg", { class: "budget-strip", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": told, "data-over": String(over) },
    svg("title", {}, told),
    svg("line", { class: "rail", x1: pad, x2: width - pad, y1: 10, y2: 10 }), ...ticks,
    svg("line", { class: "promise", x1: x(alarms.promised), x2: x(alarms.promised), y1: 2, y2: 18 }),
    known(alarms.rate) ? svg("line", { class: "interval", x1: x(alarms.low), x2: x(alarms.high), y1: 10, y2: 10 }) : null,
    known(alarms.rate) && alarms.rate > 0 ? svg("circle", { class: "point", cx: x(alarms.rate), cy: 10, r: 4 }) : null);
}
