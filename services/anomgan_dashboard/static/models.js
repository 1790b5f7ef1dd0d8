// All models: which fleet each judges, what it learned from, and how it keeps its alarm budget.

import { ask } from "./api.js";
import { h, text } from "./dom.js";
import { day, duration, number, timeSpan } from "./format.js";
import { emptyNote, modelLink } from "./parts.js";
import { modelView } from "./model.js";
import { balanceBadge, budgetStrip, roleBadge, weeksOf } from "./model-parts.js";

const POLL_MS = 4000;

/** The list, or one model where the address names one. */
export function modelsView(query, tools) {
  return query.has("model") ? modelView(query, tools) : modelList(tools);
}

function modelList({ hear }) {
  const list = h("div", { class: "fleets" });
  const element = h("section", { class: "page models" },
    h("div", { class: "page-head" }, h("h1", {}, "Models"),
      h("p", { class: "quiet" }, "What each fleet of devices is judged by")), list);
  let shape = "";
  let parts = [];

  async function turn(abort) {
    const answer = await ask("models", {}, abort);
    hear(answer);
    // While the same models judge, only figures change: what is pointed at or focused stays where it is.
    const now = JSON.stringify([answer.fleets.map((fleet) => [fleet.topic, fleet.devices, fleet.champion, fleet.challenger]),
      answer.models.map((model) => [model.name, model.digest, model.role])]);
    if (now !== shape) build(answer);
    shape = now;
    for (const part of parts) part(answer);
    return POLL_MS;
  }

  function build({ fleets, models }) {
    parts = [];
    const used = new Set(fleets.flatMap((fleet) => [fleet.champion, fleet.challenger]));
    const byName = new Map(models.map((model) => [model.name, model]));
    const left = models.filter((model) => !used.has(model.name));
    const cards = fleets.map((fleet, i) => fleetCard(fleet, i, byName, parts));
    if (left.length > 0) cards.push(h("section", { class: "card fleet-card" }, h("h2", {}, "No longer used"), modelTable(left, parts)));
    list.replaceChildren(...(cards.length > 0 ? cards : [emptyNote("No model yet",
      "The detector service tells of its models here once it runs on this store.")]));
  }

  return { element, title: "Models", turn };
}

/** The card of the i-th fleet; what changes in it is pushed to `parts`, each of which takes an answer. */
function fleetCard(first, i, byName, parts) {
  const models = [first.champion, first.challenger].filter((name) => byName.has(name)).map((name) => byName.get(name));
  const facts = h("p", { class: "quiet" });
  const body = models.length > 0 ? modelTable(models, parts) : h("div", { class: "gathering" });
  let shown = "";
  parts.push(({ fleets }) => {
    const fleet = fleets[i];
    text(facts, [`${number(fleet.heard)} device${fleet.heard === 1 ? "" : "s"} heard`,
      fleet.broker ? `broker ${fleet.broker}` : null, fleet.devices.join(", ") === "*" ? null : fleet.devices.join(", "),
      fleet.learns ? "learns by itself" : null, imputing(fleet.imputing)].filter(Boolean).join(" · "));
    const gathered = JSON.stringify(fleet.gathered);
    if (models.length === 0 && gathered !== shown) body.replaceChildren(...gathering(fleet));
    shown = gathered;
  });
  return h("section", { class: "card fleet-card" }, h("header", {}, h("h2", { class: "topic" }, first.topic), facts), body);
}

/** How often events were told by what a synthesizer imputed, and why not. */
function imputing(told) {
  if (!told) return null;
  const why = Object.entries(told.not_imputed).map(([name, count]) => `${number(count)} ${name.replaceAll("_", " ")}`);
  return [`events told by ${told.by}: ${number(told.imputed)}`, why.length ? `by the model's own expectation: ${why.join(", ")}` : null, told.fault || null]
    .filter(Boolean).join("; ");
}

function modelTable(models, parts) {
  const names = ["Model", "Role", "Learned from", "Adversarial game", "Alarms a week and device"];
  return h("div", { class: "scroll" }, h("table", { class: "model-table model-list" },
    h("colgroup", {}, names.map(() => h("col"))), h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, models.map((model) => modelRow(model, parts)))));
}

function modelRow(model, parts) {
  const learned = `${number(model.rows)} rows of ${model.series} device${model.series === 1 ? "" : "s"}`;
  const when = day(model.first_time_s) === day(model.last_time_s) ? day(model.first_time_s) : `${day(model.first_time_s)} – ${day(model.last_time_s)}`;
  const budget = h("td", { class: "budget" });
  let shown = "";
  parts.push(({ models }) => {
    const { alarms } = models.find((one) => one.name === model.name);
    const now = JSON.stringify(alarms);
    if (now !== shown) budget.replaceChildren(budgetStrip(alarms), h("span", { class: "detail" }, strip(alarms)));
    shown = now;
  });
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: modelLink(model.name) }, model.name)),
    h("td", {}, roleBadge(model.role)),
    h("td", { title: timeSpan(model.first_time_s, model.last_time_s) }, learned,
      h("span", { class: "detail" }, `${model.channel_count} channels · ${when}`)),
    h("td", {}, balanceBadge(model.balance)), budget);
}

function strip(alarms) {
  if (alarms.rate === null) return `${number(alarms.promised)} promised, nothing judged yet`;
  return `${number(alarms.promised)} promised, ${number(alarms.events)} stored in ${weeksOf(alarms.weeks)}`;
}

/** A fleet without a model: how much history there is, and how much is enough. */
function gathering(fleet) {
  const gathered = fleet.gathered ?? { devices: 0, rows: 0, hours: 0, training: false, needs: [] };
  const so = gathered.rows === 0 ? "nothing has been heard yet"
    : `history gathered: ${number(gathered.rows)} rows of ${gathered.devices} device${gathered.devices === 1 ? "" : "s"}, ${duration(3600 * gathered.hours)}`;
  return [
    h("p", { class: "empty-title" }, gathered.training ? "No model yet: it is trained now" : "No model yet"),
    h("p", { class: "quiet" }, gathered.training ? so : `It learns by itself from normal readings; ${so}.`),
    h("ul", { class: "needs" }, gathered.needs.map((need) => h("li", {},
      h("span", { class: "need-what" }, `${number(Math.min(need.have, 1e15))} of ${number(need.enough)} ${need.what}`),
      h("progress", { max: need.enough, value: Math.min(need.have, need.enough), "aria-label": need.what }),
      h("span", { class: "detail" }, need.met ? "enough" : need.why))))];
}
