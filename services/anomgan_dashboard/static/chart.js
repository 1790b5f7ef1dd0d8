// One chart over time: lines, the band of what was expected, events shaded, a threshold. uPlot draws.

/* global uPlot */
import { day, hourMinute, number, timeOfDay } from "./format.js";
import { listenToGestures } from "./gestures.js";
import { colour, paintBetween, paintEvents, paintIssues, paintOnsets, paintOutside } from "./painting.js";

const SYNC = "device";
const AXIS_WIDTH = 54;
const RIGHT_PX = 10;
const SIGN_PX = 6.5; // of a tick's label
const MIN_ZOOM_PX = 6;
const SECOND_STEPS = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30];
const STEPS = [...SECOND_STEPS, ...[1, 2, 5, 10, 15, 30].map((m) => 60 * m), ...[1, 2, 3, 6, 12].map((hour) => 3600 * hour),
  ...[1, 2, 5, 10, 30, 90, 365].map((d) => 86_400 * d)];

/**
 * A chart in `host`. `lines`: [{colour, width?, dash?}]; `view()` -> {start, end}; `marks()` -> {events, onsets, issues}
 * to paint; `floor`: the axis's lowest value; `reach()` -> [low, high] that the axis always shows.
 * `on`: {cursor(index | null), zoom(start, end), zoomAt(factor, time), pan(seconds), reset()}.
 */
export function createChart(host, { lines, height, view, marks, floor = null, reach = null, on }) {
  let band = null;
  const plot = new uPlot({
    width: Math.max(120, host.clientWidth),
    height,
    padding: [8, RIGHT_PX, 0, 0],
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
      y: { range: (u, low, high) => spread(...widest(low, high, ...extent(u), ...(reach?.() ?? [])), floor) },
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
      drawClear: [(u) => paintEvents(u, marks().events)],
      drawAxes: [(u) => {
        if (band?.low) paintBetween(u, band.high, band.low, "band");
        else if (band) paintBetween(u, u.data[1], u.data[2], "band");
      }],
      draw: [(u) => {
        if (band?.low) paintOutside(u, band.outside);
        paintOnsets(u, marks().onsets);
        paintIssues(u, marks().issues);
      }],
      setSelect: [(u) => {
        const { left, width } = u.select;
        if (width < MIN_ZOOM_PX) return;
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        on.zoom(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
      }],
      setCursor: [(u) => on.cursor(u.cursor.idx ?? null)],
    },
  }, [[], ...lines.map(() => [])], host);
  listenToGestures(plot.over, { view, on });

  /** The lowest and the highest edge of the band in sight. */
  function extent(u) {
    if (!band?.low) return [];
    const { start, end } = view();
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < u.data[0].length; i += 1) {
      if (u.data[0][i] < start || u.data[0][i] > end || band.low[i] === null) continue;
      low = Math.min(low, band.low[i]);
      high = Math.max(high, band.high[i]);
    }
    return low <= high ? [low, high] : [];
  }

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
    /** `around`: {low, high, outside} columns of the band (low and high null: what is between the first two lines). */
    set(columns, around = null) {
      band = around;
      plot.setData(columns);
    },
    redraw: () => plot.redraw(true, true),
    resize: () => {
      const width = Math.max(120, host.clientWidth);
      if (width !== plot.width) plot.setSize({ width, height });
    },
    destroy: () => plot.destroy(),
  };
}

const widest = (...values) => {
  const known = values.filter((value) => value !== null);
  return known.length ? [Math.min(...known), Math.max(...known)] : [null, null];
};

/** The y range: some air around the data, never flatter than a thousandth of their size: noise is not drama. */
function spread(low, high, floor) {
  if (low === null) return [floor ?? 0, 1.25];
  let bottom = floor ?? low;
  let top = Math.max(high, bottom);
  const least = Math.max(Math.abs(top), Math.abs(bottom)) * 0.002 || 1;
  if (top - bottom < least) {
    const middle = (top + bottom) / 2;
    [bottom, top] = [middle - least / 2, middle + least / 2];
  }
  const air = (top - bottom) * 0.08;
  return [floor === null ? bottom - air : floor, top + air];
}

/** Times along the axis, with the date where a day begins; none that the right edge would cut off. */
function timeTicks(u, ticks, axis, space, step) {
  const { min, max } = u.scales.x;
  const perPixel = (max - min) / (u.width - AXIS_WIDTH - RIGHT_PX);
  let before = "";
  return ticks.map((tick) => {
    const date = day(tick);
    const fresh = date !== before;
    before = date;
    const time = step < 60 ? timeOfDay(tick) : hourMinute(tick);
    const label = step >= 86_400 || (fresh && tick !== ticks[0] && time === "00:00") ? date : time;
    return (label.length / 2) * SIGN_PX > (max - tick) / perPixel + RIGHT_PX ? "" : label;
  });
}
