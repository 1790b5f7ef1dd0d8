// Which stretch of time a device's page shows: live with the newest reading, or fixed; as the address says it.

export const RANGES = [[300, "5 min"], [900, "15 min"], [3600, "1 h"], [21_600, "6 h"], [86_400, "24 h"], [604_800, "7 d"]];
export const DEFAULT_S = 900;
const SHORTEST_S = 2;
const LONGEST_S = 366 * 86_400;

/** From the query of the address: {last} (live), {start, end} (fixed) or {all: true}. */
export function readRange(query) {
  const [start, end, last] = ["start", "end", "last"].map((name) => (query.has(name) ? Number(query.get(name)) : NaN));
  if (end > start) return { start, end };
  if (query.get("last") === "all") return { all: true };
  return { last: last > 0 && last <= LONGEST_S ? last : DEFAULT_S };
}

/** The same as parameters of the address and of the API. */
export function rangeQuery(range) {
  if (range.all) return { last: "all" };
  if (range.last) return { last: range.last };
  return { start: round(range.start), end: round(range.end) };
}

export function rangeParameters(range) {
  return range.all ? {} : rangeQuery(range);
}

export const isLive = (range) => range.start === undefined;

/** `factor` times as long, around a time that keeps its place: the middle of what is shown where none is given. */
export function zoomed(shown, factor, time = (shown.start + shown.end) / 2) {
  const length = shown.end - shown.start;
  const next = Math.min(LONGEST_S, Math.max(SHORTEST_S, length * factor));
  const start = time - (next * (time - shown.start)) / length;
  return { start, end: start + next };
}

/** Moved by seconds. */
export const moved = (shown, seconds) => ({ start: shown.start + seconds, end: shown.end + seconds });

/** An event with air around it; after one that is open there is nothing yet. */
export function aroundEvent(event) {
  const length = Math.max(60, event.end_s - event.start_s);
  return { start: event.start_s - Math.max(length, 120), end: event.end_s + (event.state === "open" ? 0.1 : 0.6) * length };
}

/** How long to wait before asking again: a chart of a week does not change every second. */
export function pauseMs(range, shown) {
  const span = shown === null ? 0 : shown.end - shown.start;
  if (!isLive(range)) return 3000;
  return span > 90_000 ? 15_000 : span > 22_000 ? 5000 : 1000;
}

const round = (seconds) => Math.round(seconds * 1000) / 1000;
