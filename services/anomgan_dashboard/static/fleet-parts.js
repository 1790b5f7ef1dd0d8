// A device in the list of the fleet, as a row or as a tile: the same facts, laid out in two ways.

import { arrange, h, text } from "./dom.js";
import { ago, duration } from "./format.js";
import { deviceLink, healthMark, meter, setState, severityBadge, sparkline, stateBadge } from "./parts.js";

export const fleetRow = (device) => entry(device, "td", ({ badge, name, health, bar, spark, event, seen }) => h("tr", {},
  h("td", { class: "status" }, badge), h("th", { scope: "row", class: "name" }, name, health),
  h("td", { class: "surprise" }, bar), h("td", { class: "trail" }, spark), event, seen));

/** For fleets that fit on a wall. */
export const fleetTile = (device) => entry(device, "span", ({ badge, name, health, bar, spark, event, seen }) => {
  spark.setAttribute("preserveAspectRatio", "none");
  return h("li", { class: "tile" }, h("p", { class: "name" }, name), h("p", { class: "status" }, badge, seen), spark, bar, health, event);
});

/** What stays and is told what changed; `lay(parts)` -> its element, `cell` is the tag of its open event and of when it was seen. */
function entry(device, cell, lay) {
  const badge = stateBadge(device.state);
  const bar = meter();
  const spark = sparkline();
  const health = healthMark();
  const [severity, since, reason] = [h("span", {}), h("span", { class: "since" }), h("span", { class: "reason" })];
  const event = h(cell, { class: "event" });
  const seen = h(cell, { class: "seen" });
  const name = [h("a", { href: deviceLink(device.site, device.device) }, device.device), h("span", { class: "site" }, device.site)];
  const element = lay({ badge, name, health: health.element, bar: bar.element, spark: spark.element, event, seen });
  let told = null;

  function set(now, newest, clock) {
    element.dataset.state = now.state;
    text(seen, ago(now.seen_s, clock));
    if (now.event !== null) text(since, `for ${duration(newest - now.event.start_s)}`);
    if (now === told) return;
    told = now;
    setState(badge, now.state);
    bar.set(now.surprise, now.threshold);
    spark.set(now.trail, now.threshold);
    health.set(now.health);
    arrange(event, now.event === null ? [] : [severity, since, reason]);
    if (now.event === null) return;
    severity.replaceChildren(severityBadge(now.event.severity));
    text(reason, now.event.reason);
    reason.title = now.event.reason;
  }

  return { element, set };
}
