// In what order channels left normal: as a line, as a list, and as marks for charts.

import { h } from "./dom.js";
import { dateTime, duration, ordinal, timeOfDay } from "./format.js";

/** [{name, time_s, place: "1st"}, ...] of an event; who went at the same time has the same place. */
export const placesOf = (event) => (event?.onsets ?? []).map((onset, i, all) => (
  { ...onset, place: ordinal(1 + all.findIndex((other) => other.time_s === onset.time_s)) }));

/** An ordered list: the first with its time, the others by how much later they went. */
export function orderList(event) {
  return h("ol", { class: "order" }, placesOf(event).map((onset, i, all) => h("li", {},
    h("span", { class: "place" }, onset.place),
    h("span", { class: "name" }, onset.name),
    h("time", { class: "when", title: dateTime(onset.time_s) }, when(onset, i, all)))));
}

/** One line of the same: "Left normal: 1st flow 14:03:10, 2nd pressure +12 s". */
export function orderLine(event, most = 4) {
  const places = placesOf(event);
  if (places.length === 0) return "";
  const told = places.slice(0, most).map((onset, i, all) => `${onset.place} ${onset.name} ${when(onset, i, all)}`);
  const more = places.length - told.length;
  return `Left normal: ${told.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function when(onset, i, all) {
  if (i === 0) return timeOfDay(onset.time_s);
  const later = onset.time_s - all[0].time_s;
  if (later === 0) return "at the same time";
  return `+${later < 10 && !Number.isInteger(later) ? `${later.toFixed(1)} s` : duration(later)}`; // tenths say something there
}
