// The frame: which view an address shows, links without a reload, and the connection's pulse in the corner.

import { repeat } from "./api.js";
import { h, text } from "./dom.js";
import { deviceView } from "./device.js";
import { eventView } from "./eventpage.js";
import { eventsView } from "./events.js";
import { fleetView } from "./fleet.js";
import { commonKey, step } from "./keys.js";
import { modelsView } from "./models.js";
import { duration, known, timeOfDay } from "./format.js";
import { simulatorView } from "./simulator.js";

const VIEWS = {
  "/": fleetView, "/device": deviceView, "/events": eventsView, "/event": eventView, "/models": modelsView,
  "/simulator": simulatorView,
};
const NAMES = {
  "/": "fleet", "/device": "fleet", "/events": "events", "/event": "events", "/models": "models", "/simulator": "simulator",
};
const STALE_S = 15;

const host = document.getElementById("view");
const pulse = document.getElementById("pulse");
let current = null;

/** Show the view of the present address. A view is {element, title, turn(signal), key?(event)}. */
function show() {
  current?.abort();
  current = new AbortController();
  const { signal } = current;
  const pace = { hurry() {} };
  const make = VIEWS[location.pathname] ?? fleetView;
  const view = make(new URLSearchParams(location.search), { signal, setAddress, hear, hurry: () => pace.hurry() });
  document.title = `${view.title} · anomgan`;
  host.replaceChildren(view.element);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === NAMES[location.pathname]) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (view.key) document.addEventListener("keydown", (event) => typing(event) || view.key(event), { signal });
  repeat(view.turn, signal, beat, pace);
}

/** Whether a key belongs to a field, to an open sheet or to the browser. */
function typing(event) {
  return document.querySelector("dialog[open]") !== null || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea") !== null;
}

function go(address) {
  history.pushState(null, "", address);
  show();
  host.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** Change the query of the address without leaving the view: what is shown can be shared as a link. */
function setAddress(parameters, push = false) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) if (value !== null && value !== undefined && value !== "") query.set(key, value);
  const address = `${location.pathname}${query.size ? `?${query}` : ""}`;
  if (address === location.pathname + location.search) return;
  history[push ? "pushState" : "replaceState"](null, "", address);
}

let heard = { newest: null, store: "", idle: null };

/** What views tell of each answer: the corner shows it. */
function hear(answer) {
  heard = { newest: answer.newest_s, store: answer.store, idle: answer.idle_s };
}

function beat(error) {
  let state = "live";
  let message;
  if (error !== null && error.status === 0) [state, message] = ["lost", "Reconnecting…"];
  else if (error !== null && error.status === 404) [state, message] = ["idle", "Not found"];
  else if (error !== null) [state, message] = ["lost", error.message];
  else if (!known(heard.newest)) [state, message] = ["idle", "Waiting for the first readings"];
  else if (heard.idle > STALE_S) [state, message] = ["idle", `No readings for ${duration(heard.idle)}`];
  else message = timeOfDay(heard.newest);
  pulse.dataset.state = state;
  if (!pulse.firstChild) pulse.append(h("span", { class: "dot", "aria-hidden": "true" }), h("span"), h("span", { class: "clock" }));
  text(pulse.children[1], state === "live" ? "Live" : message);
  text(pulse.children[2], state === "live" ? message : "");
  pulse.title = state === "live" ? "Time of the newest reading" : "";
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented) return;
  if (!typing(event)) commonKey(event);
  else if (event.key === "ArrowDown" && event.target.matches("input[type=search]") && step(1)) event.preventDefault();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (link === null || event.defaultPrevented || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.hash || !(link.pathname in VIEWS)) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
addEventListener("popstate", show);
show();
