// One model: what it learned from, how its training went, and whether it keeps what it promises.

import { ApiError, ask } from "./api.js";
import { curveCard, intervals, upright } from "./curve.js";
import { h } from "./dom.js";
import { UNKNOWN, duration, known, number, odds, percent, surprise } from "./format.js";
import { emptyNote } from "./parts.js";
import { alarmCard, channelCard, dataCard, figureOf, latentCard, shadowCard } from "./model-cards.js";
import { balanceBadge, roleBadge, weeksOf } from "./model-parts.js";

const POLL_MS = 4000;

export function modelView(query, { signal, hear }) {
  const name = query.get("model");
  const body = h("div", { class: "model-body" });
  const note = h("div", { class: "note" });
  const badge = h("span", {});
  const figures = h("dl", { class: "figures" });
  const element = h("section", { class: "page models" },
    h("div", { class: "device-head" },
      h("div", { class: "title" }, h("p", { class: "crumb" }, h("a", { href: "/models" }, "Models")), h("h1", {}, name, " ", badge)),
      figures),
    note, body);
  const alarmSlot = h("div", { class: "slot" });
  const shadowSlot = h("div", { class: "slot" });
  let [shape, measured, shadow] = ["", "", ""];
  let charts = null;

  async function turn(abort) {
    let answer;
    try {
      answer = await ask("model", { name }, abort);
    } catch (error) {
      if (!(error instanceof ApiError) || ![404, 503].includes(error.status)) throw error;
      if (shape === "") note.replaceChildren(error.status === 404
        ? emptyNote("No such model", "No sheet of it is in the store: the service writes one when it loads a model.")
        : emptyNote("No model yet", "The store is empty so far."));
      throw error;
    }
    hear(answer);
    note.replaceChildren();
    // While it is the same model, only what is measured changes: what is scrolled or focused stays where it is.
    const now = [JSON.stringify([answer.model.digest, answer.model.role, answer.fleets.map((fleet) => fleet.topic)]),
      JSON.stringify([answer.alarms, answer.lived]), JSON.stringify(answer.fleets.map((fleet) => [fleet.shadow, fleet.changes]))];
    if (now[0] !== shape) build(answer);
    if (now[0] !== shape || now[1] !== measured) measure(answer);
    if (now[2] !== shadow) shadowSlot.replaceChildren(...shadowCard(answer.fleets, name));
    [shape, measured, shadow] = now;
    return POLL_MS;
  }

  function build({ model, fleets }) {
    badge.replaceChildren(roleBadge(model.role));
    charts ??= { ...courseCharts(model, signal), reliability: reliabilityChart(signal) };
    charts.set(model);
    body.replaceChildren(
      gameCard(model, charts), h("div", { class: "pair" }, charts.reliability.element, h("div", { class: "stack" }, alarmSlot, latentCard(model))),
      channelCard(model), dataCard(model, fleets), shadowSlot);
  }

  function measure({ model, fleets, alarms, lived }) {
    const threshold = fleets.find((fleet) => fleet.champion === name)?.threshold ?? model.threshold;
    figures.replaceChildren(
      figureOf("Learned from", `${number(model.rows)} rows`, `${model.series} device${model.series === 1 ? "" : "s"}, ${duration(model.last_time_s - model.first_time_s)}`),
      figureOf("Window", `${model.window} readings`, duration(model.window * model.period_s)),
      figureOf("Threshold", surprise(threshold), odds(threshold)),
      figureOf("Stored events", known(alarms.rate) ? number(alarms.events) : UNKNOWN,
        known(alarms.rate) ? `in ${weeksOf(alarms.weeks)}` : "nothing judged yet"));
    charts.reliability.set(model.reliability, lived);
    alarmSlot.replaceChildren(alarmCard(alarms));
  }

  return { element, title: name, turn };
}

// ---------------------------------------------------------------- the game

function gameCard(model, charts) {
  const { game, course } = model;
  const ends = { finished: "all its steps were made", early: "it stopped early, for nothing got better", interrupted: "it was interrupted, and the best was kept" };
  const facts = [
    `${number(model.steps)} steps in ${duration(model.seconds)} (${ends[model.stopped] ?? model.stopped}); the networks of step ${number(model.best_step)} are kept`,
    `architecture ${model.config.architecture ?? "conv"}, loss ${model.config.loss}`,
    ...(known(game.coverage) && known(game.density) ? [`generated windows cover ${percent(game.coverage)} of held-out normal ones, at a density of ${cents(game.density)}`] : []), `${number(Object.values(model.weights).reduce((sum, one) => sum + one, 0))} weights`];
  return h("section", { class: "game" },
    h("div", { class: "section-head" }, h("h2", {}, "The adversarial game"), balanceBadge(game.balance)),
    h("p", { class: "sentence" }, game.sentence, game.advice ? ` ${game.advice}` : ""), h("p", { class: "facts" }, facts.join(" · ")),
    course && course.step.length > 1 ? h("div", { class: "curves" }, charts.list.map((chart) => chart.element))
      : h("p", { class: "quiet" }, "Its file keeps no curves: it was trained by an earlier version. A model that is trained now has them."));
}

const cents = (value) => value.toFixed(2); // as wide at every step, so that no head jumps under the cursor

function courseCharts(first, signal) {
  let model = first;
  const column = (name, i) => model.course[name][i ?? model.course.step.length - 1];
  const steps = { label: "step" };
  const best = (u) => upright(u, model.best_step, "kept");
  const told = (name, colour, label, form = number) => (at) => ({ colour, label, told: form(column(name, at)) });
  const chart = (title, note, curves, y) => {
    const card = curveCard({ title, note, signal, x: steps, y, marks: best, height: 150,
      lines: curves.map(([, colour]) => ({ colour, width: 1.4 })),
      read: (at) => curves.map(([name, colour, label, form]) => told(name, colour, label, form)(at)) });
    return { element: card.element, names: curves.map(([name]) => name), set: card.set };
  };
  const fromZero = (u, low, high) => [0, (high || 1) * 1.08];
  const list = [
    chart("Losses", "", [["discriminator_loss", "discriminator", "discriminator", cents], ["generator_loss", "pattern", "generator", cents]], { label: "loss" }),
    chart("Judged rightly", "", [["accuracy_real", "observed", "real", percent], ["accuracy_generated", "expected", "generated", percent]],
      { label: "share of windows", range: [0, 1.05], format: percent }),
    chart("Diversity of generated windows", "1 = as real ones", [["diversity", "ink", "", cents]], { label: "ratio", range: fromZero }),
    chart("Reconstruction error", "held-out windows", [["reconstruction_error", "reconstruction", ""]], { label: "scaled units", range: fromZero })];
  return {
    list,
    set(next) {
      model = next;
      if (model.course && model.course.step.length > 1) for (const one of list) one.set([model.course.step, ...one.names.map((name) => model.course[name])]);
    },
  };
}

// ---------------------------------------------------------------- the calibration

function reliabilityChart(signal) {
  let held = null;
  let lived = null;
  let rows = [];
  const lowest = () => Math.min(0.1, ...rows.flatMap((row) => [row.promised, row.measured, row.lived, row.low].filter((value) => value > 0)));
  const range = () => [10 ** Math.floor(Math.log10(lowest()) + 1e-9), 1];
  const words = h("p", { class: "foot" });
  const card = curveCard({
    foot: words,
    title: "Is a surprise as rare as it says?", signal, height: 390,
    x: { label: "promised: a normal window looks so odd with this probability", log: true, range },
    y: { label: "measured share of windows", log: true, range },
    lines: [{ colour: "muted", dash: [5, 4], width: 1 }, { colour: "observed", dots: true }, { colour: "ink", dots: true, hollow: true }],
    marks: (u) => intervals(u, rows.map((row) => row.promised), rows.map((row) => row.low), rows.map((row) => row.high), "observed"),
    read: (at) => {
      const row = rows[at ?? rows.findIndex((one) => one.promised >= 0.01)];
      return row === undefined ? [] : [{ colour: "muted", label: "promised", told: share(row.promised) },
        ...(known(row.measured) ? [{ colour: "observed", label: "held-out normal", told: share(row.measured) }] : []),
        ...(known(row.lived) ? [{ colour: "ink", label: "live, faults included", told: share(row.lived) }] : [])];
    },
  });
  return {
    element: card.element,
    set(reliability, live) {
      [held, lived] = [reliability, live];
      const some = held?.windows > 0;
      const by = new Map();
      if (some) held.surprise.forEach((level, i) => by.set(level, { promised: held.promised[i], measured: held.measured[i], low: held.low[i], high: held.high[i], lived: null }));
      if (lived !== null) lived.surprise.forEach((level, i) => {
        by.set(level, { ...(by.get(level) ?? { promised: 10 ** -level, measured: null, low: null, high: null }), lived: lived.measured[i] });
      });
      rows = [...by.values()].sort((a, b) => a.promised - b.promised);
      const above = (value) => (value > 0 ? value : null);
      card.show(rows.length > 0);
      if (rows.length > 0) card.set([rows.map((row) => row.promised), rows.map((row) => row.promised), rows.map((row) => above(row.measured)), rows.map((row) => above(row.lived))]);
      words.textContent = some
        ? `Points on the dashed line keep the promise; bars are 95 % intervals. Each fifth of ${number(held.windows)} held-out windows (as many as ${number(held.apart)} that share no reading) was judged by a calibration from the others.`
        : held ? "The held-out windows are too few to hold the promise against: they share their readings, and fewer than ten would share none."
          : "Its file does not tell how its calibration did on held-out windows: it was trained by an earlier version.";
    },
  };
}

const share = (value) => (value >= 0.001 ? percentFine(value) : `1 in ${number(Math.round(1 / value))}`);
const percentFine = (value) => `${number(Number((100 * value).toPrecision(2)))} %`;
