// A device as a tile: the same facts as its row, for fleets that fit on a wall.

import { h, text } from "./dom.js";
import { ago, duration } from "./format.js";
import { deviceLink, healthMark, meter, setState, severityBadge, sparkline, stateBadge } from "./parts.js";

/** One tile that stays and is told what changed. */
export function fleetTile(device) {
  const badge = stateBadge(device.state);
  const bar = meter();
  const spark = sparkline();
  const health = healthMark();
  const since = h("span", { class: "since" });
  const reason = h("span", { class: "reason" });
  const severity = h("span", {});
  const event = h("p", { class: "event" }, severity, since, reason);
  const seen = h("span", { class: "seen" });
  spark.element.setAttribute("preserveAspectRatio", "none");
  const element = h("li", { class: "tile" },
    h("p", { class: "name" }, h("a", { href: deviceLink(device.site, device.device) }, device.device), h("span", { class: "site" }, device.site)),
    h("p", { class: "status" }, badge, seen),
    spark.element, bar.element, health.element, event);
  let told = null;

  function set(now, newest, clock) {
    element.dataset.state = now.state;
    text(seen, ago(now.seen_s, clock));
    event.hidden = now.event === null;
    if (now.event !== null) text(since, `for ${duration(newest - now.event.start_s)}`);
    if (now === told) return;
    told = now;
    setState(badge, now.state);
    bar.set(now.surprise, now.threshold);
    spark.set(now.trail, now.threshold);
    health.set(now.health);
    if (now.event === null) return;
    severity.replaceChildren(severityBadge(now.event.severity));
    text(reason, now.event.reason);
    reason.title = now.event.reason;
  }

  return { element, set };
}
