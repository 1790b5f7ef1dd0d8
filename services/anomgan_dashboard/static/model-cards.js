// The cards of one model that hold no curves: alarms, channels, data, latents, and the shadow.

import { h, svg } from "./dom.js";
import { UNKNOWN, dateTime, duration, known, number, percent, quantity, span, timeSpan } from "./format.js";
import { budgetStrip, rough, weeksOf } from "./model-parts.js";
import { modelLink } from "./parts.js";

export const figureOf = (name, value, detail) => h("div", { class: "figure" }, h("dt", {}, name), h("dd", {}, value), h("dd", { class: "small" }, detail));

const row = (name, ...told) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, told));

/** The alarm budget, promised against measured. */
export function alarmCard(alarms) {
  const some = known(alarms.rate);
  const over = some && alarms.low > alarms.promised;
  const enough = some && alarms.weeks * alarms.promised >= 1;
  const words = !some ? "Nothing has been judged since this model came, so there is nothing to hold against its budget yet."
    : over ? "More events than the budget allows, and not by chance. Faults count here too: only feedback tells them from false alarms."
      : enough ? "Within what the budget allows."
        : "Within what the budget allows, though the exposure is too short for the budget to expect even one alarm.";
  return h("section", { class: "card alarms-card" }, h("h2", {}, "Alarm budget"),
    budgetStrip(alarms, 300), h("p", {}, words),
    h("dl", { class: "fact-list" },
      row("Promised", `at most ${number(alarms.promised)} false alarm${alarms.promised === 1 ? "" : "s"} of a device in a week`),
      row("Stored", some ? `${rough(alarms.rate)} events a week and device, 95 % interval ${rough(alarms.low)} to ${rough(alarms.high)}` : UNKNOWN),
      row("Exposure", some ? `${weeksOf(alarms.weeks)}: ${number(alarms.windows)} windows, ${timeSpan(alarms.first_s, alarms.last_s)}` : "none yet"),
      row("Events", `${number(alarms.events)} told`, alarms.muted ? `, ${number(alarms.muted)} muted` : "", alarms.most > 1 && alarms.devices > 1
        ? `; most from ${alarms.most_device}: ${alarms.most}` : ""),
      row("Called false", alarms.false_alarms ? `${number(alarms.false_alarms)} of them, by feedback` : "none, by feedback")));
}

const ROLE_WORDS = { measured: "measured", state: "state", constant: "constant", counter: "counter", "without a value": "without a value" };

/** Each channel: its role, where it usually lies, and how far off the model is on normal data. */
export function channelCard(model) {
  const spread = (channel) => (known(channel.error?.[2]) && channel.high > channel.low ? channel.error[2] / (channel.high - channel.low) : null);
  const worst = Math.max(0.01, ...model.channels.map((channel) => spread(channel) ?? 0));
  const heads = [["Channel", ""], ["Role", ""], ["Usual range", "0.1 % to 99.9 % of the readings it learned from"],
    ["Typical error", "half of normal readings lie closer to what the model expects"], ["99 % within", "of normal readings lie closer than this to what the model expects"],
    ["99 % error, share of the usual range", ""]];
  return h("section", { class: "card" }, h("h2", {}, "Channels and their normal error"),
    h("div", { class: "scroll channels-scroll", tabindex: "0", "aria-label": "Channels" }, h("table", { class: "model-table channels-table" },
      h("thead", {}, h("tr", {}, heads.map(([name, why]) => h("th", { scope: "col", title: why }, name)))),
      h("tbody", {}, model.channels.map((channel) => h("tr", {},
        h("th", { scope: "row" }, channel.name, channel.unit ? h("span", { class: "unit" }, ` ${channel.unit}`) : null),
        h("td", {}, ROLE_WORDS[channel.role] ?? channel.role),
        h("td", {}, span(channel.low, channel.high)),
        h("td", {}, quantity(channel.error?.[0], channel.unit)),
        h("td", {}, quantity(channel.error?.[2], channel.unit)),
        h("td", {}, shareBar(spread(channel), worst))))))),
    model.channels.some((channel) => channel.error) ? h("p", { class: "quiet" },
      "How far what was measured lies from what the generator makes of it, on held-out normal windows. States are context and are not judged.")
      : h("p", { class: "quiet" }, "Its file does not keep the normal error of each channel: it was trained by an earlier version."));
}

function shareBar(share, most) {
  if (!known(share)) return UNKNOWN;
  return h("span", { class: "share-bar" }, svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "track", width: 100, height: 6 }), svg("rect", { class: "fill", width: (100 * share) / most, height: 6 })), percent(share));
}

/** What it learned from. */
export function dataCard(model, fleets) {
  const devices = model.devices ?? [];
  const more = model.series - devices.length;
  const { config } = model;
  const words = devices.map(([device, rows, first, last]) => h("tr", {},
    h("th", { scope: "row" }, device || "(nameless)"), h("td", {}, number(rows)), h("td", {}, timeSpan(first, last))));
  return h("section", { class: "card" }, h("h2", {}, "Learned from"), h("div", { class: "data-columns" },
    h("dl", { class: "fact-list" },
      row("Time", timeSpan(model.first_time_s, model.last_time_s)),
      row("Readings", `${number(model.rows)}, one every ${duration(model.period_s)}`),
      row("Windows", `${number(model.training_windows)} to learn from, ${number(model.calibration_windows)} held out to calibrate; ${model.window} readings each, one every ${model.stride === 1 ? "reading" : `${model.stride} readings`}`),
      row("Left out", (model.excluded ?? []).length > 0 ? model.excluded.join("; ") : model.excluded ? "nothing" : "not known"),
      (model.suspicious ?? []).length > 0 ? row("Suspicious", h("ul", { class: "plain" }, model.suspicious.map((one) => h("li", {}, one)))) : null,
      row("Witnesses", Object.entries(model.witnesses).map(([name, weight]) => `${name} ${percent(weight)}`).join(", "),
        h("span", { class: "detail" }, "how well each tells held-out normal windows from the same made faulty")),
      row("Settings", `latent ${config.latent}, width ${config.width}, batch ${config.batch}, seed ${config.seed}, trained on ${model.device}`),
      row("File", `${number(model.bytes / 1000)} kB, written by anomgan ${model.library_version}, SHA-256 ${model.digest}…`),
      row("Judges", fleets.length > 0 ? fleets.map((fleet) => fleet.topic).join(", ") : "no fleet now")),
    devices.length > 0 ? h("div", { class: "scroll devices-scroll", tabindex: "0", "aria-label": "Devices that it learned from" }, h("table", { class: "model-table" },
      h("thead", {}, h("tr", {}, ["Device", "Rows", "From – to"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, words)),
      more > 0 ? h("p", { class: "quiet" }, `and ${number(more)} more`) : null) : null));
}

const SAMPLED = 1 / Math.sqrt(3);

/** How widely normal windows are spread over the latent space. */
export function latentCard(model) {
  const spreads = [...(model.latent_spread ?? [])].sort((a, b) => b - a);
  const [width, height, base] = [420, 120, 100];
  const step = width / Math.max(1, spreads.length);
  const top = Math.max(SAMPLED, ...spreads) * 1.1;
  const y = (value) => base - (value / top) * (base - 8);
  return h("section", { class: "card latent-card" }, h("h2", {}, "Latent space"),
    spreads.length === 0 ? h("p", { class: "quiet" }, "Its file does not keep the spread of the latents: it was trained by an earlier version.") : [
      svg("svg", { class: "latents", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `spread of ${spreads.length} latents: ${spreads.map(number).join(", ")}` },
        spreads.map((value, i) => svg("rect", { x: i * step + 1.5, width: Math.max(1, step - 3), y: y(value), height: base - y(value), rx: 1 },
          svg("title", {}, `${number(value)}`))),
        svg("line", { class: "sampled", x1: 0, x2: width, y1: y(SAMPLED), y2: y(SAMPLED) }),
        svg("text", { x: 0, y: height - 4 }, `${spreads.length} latents, the widest first; dashed: as they are sampled`)),
      h("p", { class: "quiet" }, "The standard deviation of each latent over held-out normal windows. One near 0 says nothing of what is normal.")]);
}

/** The challenger beside the champion, and who judged before. */
export function shadowCard(fleets, name) {
  return fleets.flatMap((fleet) => {
    const parts = [];
    if (fleet.shadow) {
      const { shadow } = fleet;
      const side = (role, words, model) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: modelLink(model) }, model)), h("td", {}, words),
        h("td", {}, number(shadow[role].events)), h("td", {}, number(shadow[role].anomalous)));
      parts.push(h("h2", {}, "In the shadow"),
        h("table", { class: "model-table" }, h("thead", {}, h("tr", {}, ["Model", "Role", "Events", "Anomalous windows"].map((one) => h("th", { scope: "col" }, one)))),
          h("tbody", {}, side("champion", "judges", fleet.champion), side("challenger", "in its shadow", fleet.challenger))),
        h("p", { class: "quiet" }, `Over the same ${number(shadow.windows)} windows, ${weeksOf(shadow.device_s / 604_800)}. The rule ${shadow.promotes ? "promotes the challenger" : "does not promote it"}: ${shadow.why}.`));
    }
    if ((fleet.changes ?? []).length > 0) {
      parts.push(h("h2", {}, "Who judged, and since when"), h("ul", { class: "plain changes" }, fleet.changes.map((change) => h("li", {},
        h("span", { class: "when" }, dateTime(change.time_s)), " ", change.model === name ? h("strong", {}, change.model) : change.model, ` ${change.what}: ${change.reason}`))));
    }
    return parts.length > 0 ? [h("section", { class: "card" }, parts)] : [];
  });
}
