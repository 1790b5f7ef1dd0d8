// Questions to the service, asked again and again, and what is known of the connection meanwhile.

const TIMEOUT_MS = 10_000;

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** One answer; rejects with ApiError (status 0 = nobody answers). */
export async function ask(question, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) if (value !== null && value !== undefined) query.set(key, value);
  const gone = AbortSignal.timeout(TIMEOUT_MS);
  let response;
  let body;
  try {
    response = await fetch(`/api/${question}?${query}`, { signal: signal ? AbortSignal.any([signal, gone]) : gone });
    body = await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "the dashboard service does not answer");
  }
  if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (!response.ok) throw new ApiError(response.status, body.error ?? `status ${response.status}`);
  return body;
}

/** Tell the service something; rejects with ApiError that says why not. */
export async function act(action, body) {
  let response;
  let answer;
  try {
    response = await fetch(`/api/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Anomgan": "action" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(2 * TIMEOUT_MS),
    });
    answer = await response.json();
  } catch {
    throw new ApiError(0, "the dashboard service does not answer");
  }
  if (!response.ok) throw new ApiError(response.status, answer.error ?? `status ${response.status}`);
  return answer;
}

/** A question that a click asked: where the service does not answer, the next turn of `repeat` says so. */
export function attempt(promise) {
  promise.catch((error) => {
    if (!(error instanceof ApiError)) throw error;
  });
}

/**
 * Repeat `turn(signal)` until `signal` aborts. `turn` returns the pause in milliseconds before the next; `pace.hurry()`
 * ends a pause. A slow service is asked less often, one that does not answer every second or two, and nothing is asked
 * while the page is hidden. `onState(error | null)` hears how each turn went.
 */
export async function repeat(turn, signal, onState, pace) {
  let failures = 0;
  while (!signal.aborted) {
    const began = performance.now();
    let pause;
    try {
      pause = await turn(signal);
      failures = 0;
      onState(null);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      failures += 1;
      pause = Math.min(500 * failures, 2000);
      onState(error);
    }
    if (pause > 0) await sleep(Math.max(pause, 8 * (performance.now() - began)), signal, pace);
    await visible(signal);
  }
}

function sleep(milliseconds, signal, pace) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
    pace.hurry = done;
  });
}

function visible(signal) {
  if (!document.hidden) return undefined;
  return new Promise((resolve) => {
    function look() {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    }
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });
}
