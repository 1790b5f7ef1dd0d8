// The running simulator: a fault goes in with a click, and its truth stands beside what the detector found.

import { ApiError, act, ask } from "./api.js";
import { arrange, h, text } from "./dom.js";
import { duration, known, number, timeOfDay } from "./format.js";
import { injectForm } from "./inject.js";
import { deviceLink, emptyNote } from "./parts.js";
import { faultName } from "./words.js";

const POLL_MS = 1000;

export function simulatorView(query, { hear, hurry }) {
  const entries = new Map();
  let plant = null;
  let speed = 1;

  const about = h("p", { class: "about" });
  const silent = h("div", { hidden: true }, emptyNote("The simulator does not answer",
    "It may have come to its end, or was started without --control. The page looks again every few seconds."));
  const form = injectForm(async (wanted) => {
    const answer = await act("simulator/inject", wanted);
    hurry();
    return answer.fault;
  });
  const list = h("div", { class: "truths" });
  const note = h("div", {});
  const count = h("span", { class: "count" });
  const body = h("div", { class: "simulator", hidden: true },
    h("section", { class: "card inject", "aria-label": "Inject a fault" }, h("h2", {}, "Inject a fault"), form.element),
    h("section", { class: "card", "aria-label": "Faults" },
      h("h2", {}, "What is true, and what was found ", count), list, note));
  const element = h("section", { class: "page" },
    h("div", { class: "page-head" }, h("h1", {}, "Simulator"), about), silent, body);

  async function stop(fault) {
    await act("simulator/stop", { fault: fault.number });
    hurry();
  }

  async function turn(abort) {
    let status;
    try {
      status = await ask("simulator", {}, abort);
      if (plant === null || plant.run !== status.run) {
        plant = await ask("simulator/plant", {}, abort);
        form.set(plant);
        entries.clear();
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 503) {
        silent.hidden = false;
        body.hidden = true;
        text(about, "");
        plant = null;
      }
      throw error;
    }
    silent.hidden = true;
    body.hidden = false;
    ({ speed } = status);
    hear({ newest_s: status.time_s, store: status.run, idle_s: 0 });
    const devices = plant.devices.reduce((sum, group) => sum + group.count, 0);
    const pace = speed === 0 ? "as fast as the broker takes it" : speed === 1 ? "as fast as life" : `${number(speed)} times faster than life`;
    const left = known(status.end_s) ? ` · ends in ${duration(status.end_s - status.time_s)} of device time` : "";
    text(about, `${devices} ${devices === 1 ? "device" : "devices"}, ${pace}${left}`);
    const faults = [...status.faults].sort((a, b) => b.start_s - a.start_s || b.number - a.number);
    text(count, status.present > 0 ? `${status.present} now` : "");
    arrange(list, faults.map((fault) => {
      if (!entries.has(fault.number)) entries.set(fault.number, truthEntry(fault, stop, fault.kind in plant.sensor_faults));
      const entry = entries.get(fault.number);
      entry.set(fault, status.time_s);
      return entry.element;
    }));
    note.replaceChildren(...(faults.length > 0 ? [] : [emptyNote("Nothing is wrong yet", "Inject a fault and watch it be found.")]));
    return POLL_MS;
  }

  return { element, title: "Simulator", turn };
}

/** One fault: the truth on the left, the detector's finding on the right. */
function truthEntry(fault, stop, ofSensor) {
  const when = h("span", { class: "when" });
  const left = h("span", { class: "left" });
  const bar = h("progress", { max: 1, "aria-label": "Elapsed share of the fault" });
  const button = h("button", { type: "button", hidden: true, on: { click: pressed } }, "Stop");
  const said = h("span", { class: "said", role: "status" });
  const found = h("p", { class: "found" });
  const plan = fault.plan === null ? null : h("details", { class: "plan" }, h("summary", {}, "Repeat this run"),
    h("p", {}, "This table in the scenario gives the same run again:"), h("pre", { tabindex: "0" }));
  const detail = [`${ofSensor ? "" : "shows in "}${fault.channels.join(", ")}`, Number.isFinite(fault.severity) && fault.severity !== 1 ? `severity ${number(fault.severity)}` : ""];
  const element = h("article", { class: "truth" },
    h("div", { class: "what" },
      h("p", { class: "name" }, h("strong", {}, faultName(fault.kind)), " of ",
        h("a", { href: deviceLink(fault.site, fault.device) }, fault.device), h("span", { class: "site" }, fault.site)),
      h("p", { class: "detail" }, detail.filter(Boolean).join(" · ")), plan),
    h("div", { class: "course" }, h("p", {}, when), bar, h("p", { class: "rest" }, left, button, said)),
    h("div", { class: "finding" }, found));
  let told = "";

  async function pressed() {
    button.disabled = true;
    text(said, "");
    try {
      await stop(fault);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      text(said, error.message);
    } finally {
      button.disabled = false;
    }
  }

  function set(now, time) {
    fault = now;
    const over = now.end_s <= time;
    element.dataset.state = over ? "over" : "present";
    text(when, `${now.injected ? "injected" : "planned"} ${timeOfDay(now.start_s)}`);
    const lasts = duration(now.end_s - now.start_s);
    text(left, over ? `${now.stopped ? "stopped" : "over"} after ${lasts}` : `${duration(now.end_s - time)} left of ${lasts}`);
    bar.value = Math.min(1, Math.max(0, (time - now.start_s) / (now.end_s - now.start_s)));
    bar.hidden = over;
    button.hidden = over || !now.injected || now.stopped;
    if (plan !== null) text(plan.lastElementChild, toml(now.plan));
    tell(now, time, over);
  }

  function tell(now, time, over) {
    const { event, issue } = now;
    const key = JSON.stringify([event, issue, over]);
    if (event === null && issue === null) {
      element.dataset.found = over ? "missed" : "waiting";
      text(found, over ? "not found" : `not found yet, ${duration(time - now.start_s)} on`);
    } else if (key !== told) {
      element.dataset.found = event?.before ? "before" : "found";
      found.replaceChildren(...(event === null ? [] : eventWords(now, event)), ...(issue === null ? [] : issueWords(issue, event)));
    }
    told = key;
  }

  return { element, set };
}

function eventWords(fault, event) {
  const verdict = event.before ? "an event was open already" : `found after ${duration(event.delay_s)}`;
  return [h("strong", {}, verdict), ": ", h("a", { href: deviceLink(fault.site, fault.device, { event: event.id }) }, event.reason)];
}

function issueWords(issue, event) {
  const words = `${event === null ? "" : "data quality: "}${issue.reason}`;
  return [h("span", { class: event === null ? "issue alone" : "issue" }, event === null ? h("strong", {}, "told by data quality: ") : null, words)];
}

/** A fault as a table of the scenario. JSON's strings, numbers and lists are TOML's too. */
const toml = (plan) => ["[[faults]]", ...Object.entries(plan).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)].join("\n");
