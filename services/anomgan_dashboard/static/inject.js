// The form that makes a fault: it offers only what the device's kind knows.

import { ApiError } from "./api.js";
import { h, text } from "./dom.js";
import { duration, number, timeOfDay } from "./format.js";
import { faultName } from "./words.js";

const MOST_LISTED = 500;
const COUNTS_IN = {
  time_lag: "seconds late", spike: "normal spreads", bias: "normal spreads, below 0 downwards",
  drift: "normal spreads, below 0 downwards", noise: "normal spreads", clipping: "share of the normal range, below 0 from below",
  dropout: "share of readings missing",
};

/** `inject(wanted)` resolves to the fault that began; `set(plant)` says what there is. */
export function injectForm(inject) {
  let plant = null;
  let devices = new Map();

  const device = h("select", { id: "inject-device", on: { change: chooseDevice } });
  const typed = h("input", { id: "inject-device-name", type: "text", placeholder: "Name of a device", autocomplete: "off", spellcheck: "false", on: { input: chooseDevice } });
  const kind = h("select", { id: "inject-kind", on: { change: chooseKind } });
  const channels = [h("select", { id: "inject-channel", on: { change: otherChannel } }), h("select", { id: "inject-channel-2" })];
  const severity = h("input", { id: "inject-severity", type: "number", step: "any", required: "" });
  const hint = h("span", { class: "hint" });
  const lasts = h("input", { id: "inject-lasts", type: "number", min: "1", step: "any", value: "180", required: "", on: { input: sayLasts } });
  const lastsHint = h("span", { class: "hint" });
  const said = h("p", { class: "said", role: "status" });
  const button = h("button", { type: "submit", class: "primary" }, "Inject");
  const field = (label, control, below = null) => h("div", { class: "field" }, h("label", { for: control.id }, label), control, below);
  const listed = field("Device", device);
  const named = field("Device", typed);
  const firstChannel = field("Channel", channels[0]);
  const secondChannel = field("changes place with", channels[1]);
  const size = field("Severity", severity, hint);
  const element = h("form", { on: { submit } }, listed, named, field("Fault", kind), firstChannel, secondChannel, size,
    field("Lasts, in seconds of device time", lasts, lastsHint), button, said);

  const chosen = () => (listed.hidden ? devices.get(typed.value.trim()) : devices.get(device.value));
  const option = (value, label = value) => h("option", { value }, label);

  function set(now) {
    plant = now;
    devices = new Map();
    for (const group of now.devices) {
      for (let i = 1; i <= group.count; i += 1) {
        const one = { site: group.site, device: `${group.name}${i}`, kind: group.kind };
        devices.set(devices.has(one.device) ? `${one.site}/${one.device}` : one.device, one);
      }
    }
    listed.hidden = devices.size > MOST_LISTED;
    named.hidden = !listed.hidden;
    const kept = device.value;
    if (!listed.hidden) {
      const byGroup = new Map();
      for (const [key, one] of devices) {
        const label = `${one.kind.replaceAll("_", " ")}${one.site ? ` · ${one.site}` : ""}`;
        byGroup.set(label, [...(byGroup.get(label) ?? []), key]);
      }
      device.replaceChildren(...[...byGroup].map(([label, keys]) => h("optgroup", { label }, keys.map((key) => option(key)))));
      if (devices.has(kept)) device.value = kept;
    }
    chooseDevice();
  }

  function chooseDevice() {
    const one = chosen();
    button.disabled = one === undefined;
    if (one === undefined) return;
    const { faults, channels: sensors } = plant.kinds[one.kind];
    const possible = Object.keys(plant.sensor_faults).filter((name) =>
      sensors.filter((sensor) => sensor.faults.includes(name)).length >= plant.sensor_faults[name].channels);
    const kept = kind.value;
    kind.replaceChildren(
      h("optgroup", { label: "Of the machine" }, faults.map(({ name }) => option(name, faultName(name)))),
      h("optgroup", { label: "Of a sensor" }, possible.map((name) => option(name, faultName(name)))));
    if ([...kind.options].some(({ value }) => value === kept)) kind.value = kept;
    chooseKind();
  }

  function chooseKind() {
    const known = plant.kinds[chosen().kind];
    const sensor = plant.sensor_faults[kind.value];
    const own = known.faults.find(({ name }) => name === kind.value);
    firstChannel.hidden = sensor === undefined;
    secondChannel.hidden = sensor?.channels !== 2;
    if (sensor !== undefined) {
      const able = known.channels.filter(({ faults }) => faults.includes(kind.value));
      const kept = channels[0].value;
      channels[0].replaceChildren(...able.map(({ name, unit }) => option(name, unit ? `${name} (${unit})` : name)));
      if (able.some(({ name }) => name === kept)) channels[0].value = kept;
      otherChannel();
    }
    const graded = sensor?.graded ?? own.graded;
    const signed = sensor?.signed ?? own.signed;
    size.hidden = !graded;
    severity.disabled = !graded;
    severity.value = sensor?.usual ?? 1;
    if (signed) severity.removeAttribute("min");
    else severity.min = "0";
    if (sensor?.most) severity.max = String(sensor.most);
    else severity.removeAttribute("max");
    text(hint, sensor === undefined ? `1 is plain to see${signed ? ", below 0 is its opposite" : ""}` : COUNTS_IN[kind.value] ?? "");
    sayLasts();
  }

  function otherChannel() {
    if (secondChannel.hidden) return;
    const kept = channels[1].value;
    const others = [...channels[0].options].filter(({ value }) => value !== channels[0].value);
    channels[1].replaceChildren(...others.map(({ value, label }) => option(value, label)));
    if (others.some(({ value }) => value === kept)) channels[1].value = kept;
  }

  function sayLasts() {
    const seconds = Number(lasts.value);
    text(lastsHint, !(seconds > 0) ? "" : plant.speed > 1 ? `${duration(seconds)}: ${duration(seconds / plant.speed)} of yours` : duration(seconds));
  }

  async function submit(event) {
    event.preventDefault();
    const one = chosen();
    const sensor = plant.sensor_faults[kind.value];
    const wanted = { device: one.device, site: one.site, kind: kind.value, lasts_s: Number(lasts.value) };
    if (sensor !== undefined) wanted.channels = channels.slice(0, sensor.channels).map(({ value }) => value);
    if (!size.hidden) wanted.severity = Number(severity.value);
    button.disabled = true;
    delete said.dataset.failed;
    text(said, "…");
    try {
      const fault = await inject(wanted);
      text(said, `${faultName(fault.kind)} of ${fault.device} begins at ${timeOfDay(fault.start_s)}.`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      said.dataset.failed = "";
      text(said, error.message);
    } finally {
      button.disabled = false;
    }
  }

  return { element, set };
}
