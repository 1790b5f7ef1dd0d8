// What a viewer says of an event: buttons, where the service takes feedback.

import { act, ApiError, ask } from "./api.js";
import { h, text } from "./dom.js";

const CHOICES = [["false-alarm", "False alarm"], ["real", "Real"], ["maintenance", "Maintenance"], ["undo", "Undo"]];
let wanted = null;

/** Whether the service takes feedback; asked once. */
function allowed() {
  wanted ??= ask("actions").then((answer) => answer.feedback).catch((error) => {
    if (!(error instanceof ApiError)) throw error;
    wanted = null; // asked again with the next event
    return false;
  });
  return wanted;
}

/** The row of buttons; `set(event)` says which event is meant. */
export function feedbackButtons() {
  let event = null;
  const said = h("span", { class: "said", role: "status" });
  const buttons = CHOICES.map(([says, name]) => h("button", { type: "button", data: { says }, on: { click: () => tell(says) } }, name));
  const element = h("div", { class: "feedback", role: "group", "aria-label": "What was this event?", hidden: true },
    h("span", {}, "What was it?"), buttons, said);

  async function tell(says) {
    const about = event.id;
    for (const button of buttons) button.disabled = true;
    text(said, "…");
    try {
      const answer = await act("feedback", { event: about, says });
      text(said, told(answer, about));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      text(said, error.message);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }

  async function set(next) {
    if (event === null || event.id !== next.id) text(said, "");
    event = next;
    element.hidden = !(await allowed());
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
