// In what order channels left normal: as a sentence, and as marks for charts.

import { h } from "./dom.js";
import { dateTime, duration, ordinal, timeOfDay } from "./format.js";

/** [{name, time_s, place: "1st"}, ...] of an event, for charts. */
export const placesOf = (event) => (event?.onsets ?? []).map((onset, i) => ({ ...onset, place: ordinal(i + 1) }));

/** An ordered list: the first with its time, the others by how much later they went. */
export function orderList(event) {
  const [first] = event.onsets;
  return h("ol", { class: "order" }, event.onsets.map((onset, i) => h("li", {},
    h("span", { class: "place" }, ordinal(i + 1)),
    h("span", { class: "name" }, onset.name),
    h("time", { class: "when", title: dateTime(onset.time_s) }, i === 0 ? timeOfDay(onset.time_s) : `+${later(onset.time_s - first.time_s)}`))));
}

/** One line of the same: "1st flow 14:03:10, 2nd pressure +12 s". */
export function orderLine(event, most = 4) {
  const [first] = event.onsets;
  if (first === undefined) return "";
  const told = event.onsets.slice(0, most).map((onset, i) => `${ordinal(i + 1)} ${onset.name} ${i === 0 ? timeOfDay(onset.time_s) : `+${later(onset.time_s - first.time_s)}`}`);
  const more = event.onsets.length - told.length;
  return `Left normal: ${told.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Short times to a tenth of a second where that says more. */
const later = (seconds) => (seconds > 0 && seconds < 10 && !Number.isInteger(seconds) ? `${seconds.toFixed(1)} s` : duration(seconds));
