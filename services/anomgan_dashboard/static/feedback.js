// What a viewer says of an event, and for how long nothing is to be told of it: buttons, where the service takes requests.

import { act, ApiError, ask } from "./api.js";
import { arrange, h, text } from "./dom.js";
import { dateTime, listed } from "./format.js";

const CHOICES = [["false-alarm", "False alarm", "Nothing was wrong: the detector learns that such windows are normal here"],
  ["real", "Real", "Something was wrong: the detector stays as watchful"],
  ["maintenance", "Maintenance", "People were at work: told to nobody, and nothing is learned"]];
const TIMES = [[1800, "30 min"], [3600, "1 hour"], [8 * 3600, "8 hours"], [86_400, "1 day"], [7 * 86_400, "1 week"]];
let wanted = null;

/** What the service takes; asked once. */
function allowed() {
  wanted ??= ask("actions").catch((error) => {
    if (!(error instanceof ApiError)) throw error;
    wanted = null; // asked again with the next event
    return { feedback: false, mute: false };
  });
  return wanted;
}

/** The row of buttons; `set(event, mutes)` says which event is meant and what is muted; `done()` hears when something was said. */
export function feedbackButtons({ done = () => {} } = {}) {
  let event = null;
  let busy = false;
  const said = h("span", { class: "said", role: "status" });
  const buttons = CHOICES.map(([says, name, title]) => h("button",
    { type: "button", title, data: { says }, on: { click: () => tell(says) } }, name));
  const undo = h("button", { type: "button", data: { says: "undo" }, title: "Take back what was said", on: { click: () => tell("undo") } }, "Undo");
  const what = h("select", { "aria-label": "What to mute" }, h("option", { value: "" }, "this device"), h("option", { value: "channels" }));
  const long = h("select", { "aria-label": "For how long" }, TIMES.map(([seconds, name]) => h("option", { value: seconds, selected: seconds === 3600 }, name)));
  const muteButton = h("button", { type: "button", class: "mute", title: "Tell nobody of it for a time", on: { click: mute } }, "Mute");
  const muting = h("div", { class: "muting", role: "group", "aria-label": "Mute" },
    h("span", { class: "label" }, "Tell nobody of"), what, h("span", { class: "label" }, "for"), long, muteButton);
  const inForce = h("ul", { class: "mutes", "aria-label": "Muted" });
  const element = h("div", { class: "feedback", hidden: true },
    h("div", { class: "saying", role: "group", "aria-label": "What was this event?" }, h("span", { class: "label" }, "What was it?"), buttons, undo),
    muting, inForce, said);

  const tell = (says) => request("feedback", { event: event.id, says }, (answer, about) => told(answer, about.id));

  function mute() {
    const channels = what.value === "" ? [] : event.channels.map((channel) => channel.name);
    request("mute", { site: event.site, device: event.device, channels, for_s: Number(long.value) },
      (answer) => `Muted until ${dateTime(answer.until_s)}.`);
  }

  const unmute = (one) => request("mute", { site: event.site, device: event.device, channels: one.channels, for_s: 0 },
    () => "No longer muted.");

  /** Ask the service, with all buttons off meanwhile; say what came of it. */
  async function request(action, body, words) {
    const about = event;
    busy = true;
    paint();
    text(said, "…");
    try {
      const answer = await act(action, body);
      if (about.id === event.id) text(said, words(answer, about));
      done();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      text(said, error.message);
    } finally {
      busy = false;
      paint();
    }
  }

  function paint() {
    for (const button of element.querySelectorAll("button, select")) button.disabled = busy;
    undo.disabled = busy || !event.said;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.says === event.said));
  }

  function paintMutes(mutes) {
    const key = JSON.stringify(mutes);
    if (inForce.dataset.told === key) return;
    inForce.dataset.told = key;
    arrange(inForce, mutes.map((one) => h("li", {},
      `${one.channels.length ? listed(one.channels) : one.own ? "This device" : `Devices ${one.device}`} muted until ${dateTime(one.until_s)}. `,
      one.own ? h("button", { type: "button", class: "plain", on: { click: () => unmute(one) } }, "End the mute") : null)));
  }

  async function set(next, mutes) {
    if (event === null || event.id !== next.id) text(said, "");
    event = next;
    const names = listed(event.channels.map((channel) => channel.name));
    text(what.children[0], event.members ? "the whole fleet" : "this device");
    what.children[1].hidden = names === "";
    text(what.children[1], `only ${names}`);
    paintMutes(mutes);
    paint();
    const may = await allowed();
    element.hidden = !may.feedback;
    muting.hidden = !may.mute;
  }

  return { element, set };
}

/** The effect in words. */
function told(answer, about) {
  if (answer.says === null) return "Taken back.";
  const learned = answer.learned[about];
  if (learned === undefined || learned === "nothing") return "Noted.";
  if (typeof learned === "string") return `Noted; learned ${learned}.`;
  return `Noted. Of ${learned.alarming_before} such windows ${learned.alarming_now} would alarm now.`;
}
