// One chart over time: lines, the gap between two of them filled, events shaded, a threshold. uPlot draws.

/* global uPlot */
import { day, hourMinute, number, timeOfDay } from "./format.js";

const SYNC = "device";
const AXIS_WIDTH = 54;
const MIN_ZOOM_PX = 6;
const SECOND_STEPS = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30];
const STEPS = [...SECOND_STEPS, ...[1, 2, 5, 10, 15, 30].map((m) => 60 * m), ...[1, 2, 3, 6, 12].map((hour) => 3600 * hour),
  ...[1, 2, 5, 10, 30, 90, 365].map((d) => 86_400 * d)];

/** A colour of the theme, by its name; dark and light differ. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * A chart in `host`. `lines`: [{name, colour, width?, dash?}]; `between`: indices of two lines whose difference is
 * filled; `view()` -> {start, end}; `events()` -> [{start_s, end_s, state, selected}]; `floor`: the axis's lowest value;
 * `threshold()` -> value that the axis always shows. `on`: {cursor(index | null), zoom(start, end), pan(seconds), reset()}.
 */
export function createChart(host, { lines, height, between = null, view, events, floor = null, threshold = null, on }) {
  const plot = new uPlot({
    width: Math.max(120, host.clientWidth),
    height,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false },
      points: { size: 9, width: 2, fill: (u, i) => colour(lines[i - 1].colour), stroke: () => colour("surface") },
      sync: { key: SYNC, setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
      bind: { mousedown: (u, target, handler) => (event) => (event.shiftKey ? startPan(u, event) : handler(event)),
        dblclick: () => () => on.reset() },
    },
    scales: {
      x: { time: true, range: () => [view().start, view().end] },
      y: { range: (u, low, high) => spread(low, high, floor, threshold?.()) },
    },
    axes: [
      { stroke: () => colour("muted"), font: "11px system-ui", size: 30, space: 70, gap: 6, incrs: STEPS,
        grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false }, values: timeTicks },
      { stroke: () => colour("muted"), font: "11px system-ui", size: AXIS_WIDTH, space: 26, gap: 6,
        grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false }, values: (u, ticks) => ticks.map(number) },
    ],
    series: [{}, ...lines.map((line) => ({
      stroke: () => colour(line.colour), width: line.width ?? 1.5, dash: line.dash, points: { show: false },
    }))],
    hooks: {
      drawClear: [(u) => shade(u, events())],
      drawAxes: [(u) => between && fillBetween(u, ...between)],
      setSelect: [(u) => {
        const { left, width } = u.select;
        if (width < MIN_ZOOM_PX) return;
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        on.zoom(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
      }],
      setCursor: [(u) => on.cursor(u.cursor.idx ?? null)],
    },
  }, [[], ...lines.map(() => [])], host);

  function startPan(u, event) {
    const perPixel = (view().end - view().start) / u.over.clientWidth;
    let last = event.clientX;
    const move = (next) => {
      on.pan((last - next.clientX) * perPixel);
      last = next.clientX;
    };
    const stop = () => {
      removeEventListener("mousemove", move);
      removeEventListener("mouseup", stop);
    };
    addEventListener("mousemove", move);
    addEventListener("mouseup", stop);
  }

  return {
    set: (columns) => plot.setData(columns),
    redraw: () => plot.redraw(true, true),
    resize: () => {
      const width = Math.max(120, host.clientWidth);
      if (width !== plot.width) plot.setSize({ width, height });
    },
    destroy: () => plot.destroy(),
  };
}

/** The y range: some air around the data, never flatter than a thousandth of their size: noise is not drama. */
function spread(low, high, floor, threshold) {
  if (low === null || high === null) return [floor ?? 0, (threshold ?? 1) * 1.25];
  let bottom = floor ?? low;
  let top = threshold ? Math.max(high, threshold * 1.25) : high;
  const least = Math.max(Math.abs(top), Math.abs(bottom)) * 0.002 || 1;
  if (top - bottom < least) {
    const middle = (top + bottom) / 2;
    [bottom, top] = [middle - least / 2, middle + least / 2];
  }
  const air = (top - bottom) * 0.08;
  return [floor === null ? bottom - air : floor, top + air];
}

/** Times along the axis, with the date where a day begins. */
function timeTicks(u, ticks, axis, space, step) {
  let before = "";
  return ticks.map((tick) => {
    const date = day(tick);
    const fresh = date !== before;
    before = date;
    const time = step < 60 ? timeOfDay(tick) : hourMinute(tick);
    if (step >= 86_400) return date;
    return fresh && (tick === ticks[0] ? false : time === "00:00") ? date : time;
  });
}

/** Bands behind the curves where events are. */
function shade(u, events) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  for (const event of events) {
    const from = Math.max(left, u.valToPos(event.start_s, "x", true));
    const to = Math.min(left + width, Math.max(u.valToPos(event.end_s, "x", true), from + 2 * devicePixelRatio));
    if (to <= left || from >= left + width) continue;
    ctx.fillStyle = colour(event.selected ? "event-selected" : "event");
    ctx.fillRect(from, top, to - from, height);
  }
  ctx.restore();
}

/** What lies between two lines, one quadrilateral per step; a missing value leaves a hole. */
function fillBetween(u, one, other) {
  const { ctx } = u;
  const [times, a, b] = [u.data[0], u.data[one], u.data[other]];
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = colour("difference");
  ctx.beginPath();
  let from = -1;
  const close = (to) => {
    if (from >= 0 && to > from) {
      for (let i = from; i <= to; i += 1) ctx.lineTo(u.valToPos(times[i], "x", true), u.valToPos(a[i], "y", true));
      for (let i = to; i >= from; i -= 1) ctx.lineTo(u.valToPos(times[i], "x", true), u.valToPos(b[i], "y", true));
      ctx.closePath();
    }
    from = -1;
  };
  for (let i = 0; i < times.length; i += 1) {
    const whole = a[i] !== null && b[i] !== null;
    if (whole && from < 0) {
      from = i;
      ctx.moveTo(u.valToPos(times[i], "x", true), u.valToPos(a[i], "y", true));
    } else if (!whole) close(i - 1);
  }
  close(times.length - 1);
  ctx.fill("evenodd");
  ctx.restore();
}
