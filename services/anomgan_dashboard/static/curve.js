// Small charts that are not over time: curves over training steps, and promised against measured probability.

/* global uPlot */
import { h } from "./dom.js";
import { number } from "./format.js";
import { colour } from "./painting.js";

const FONT = "11px system-ui";

/** Ticks of powers of ten, as people write them. */
const power = (value) => (value >= 0.001 && value < 10_000 ? number(value) : `10${superscript(Math.round(Math.log10(value)))}`);
const superscript = (whole) => [...String(whole)].map((sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻").join("");

/** The powers of ten from low to high, every second where they would crowd. */
function tens(low, high, pixels) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const step = Math.max(1, Math.ceil((22 * (last - first)) / pixels));
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => 10 ** (last - i * step)).reverse();
}

/**
 * A card with a chart. `lines`: [{colour, width?, dash?, dots?, hollow?}]; `x`, `y`: {label, log?, range?, format?};
 * `marks(u)` draws over it; `read(index | null)` -> [{colour, told, label}], what its head says at the cursor.
 */
export function curveCard({ title, note = "", lines, height = 170, x, y, marks = null, read, foot = null, signal }) {
  const values = h("span", { class: "values" });
  const plot = h("div", { class: "plot" });
  const element = h("figure", { class: "card chart curve" },
    h("figcaption", {}, h("span", { class: "chart-title" }, title), note ? h("span", { class: "unit" }, note) : null, values), plot, foot);
  plot.style.height = `${height}px`;
  let chart = null;
  let columns = null;
  let cursor = null;

  function readOut() {
    values.replaceChildren(...(columns === null ? [] : read(cursor)).map(({ colour: name, told, label }) =>
      h("span", { class: "value", data: { colour: name } }, label ? h("span", { class: "label" }, label) : null, told)));
  }

  const axis = ({ label, log, format }, size, space) => ({
    stroke: () => colour("muted"), font: FONT, labelFont: FONT, label, labelSize: 16, labelGap: 0, size, space, gap: 5,
    grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false },
    values: (u, ticks) => ticks.map(log ? power : format ?? number),
    ...(log ? { splits: (u, axis_, low, high) => tens(low, high, u.bbox.height / devicePixelRatio) } : {}),
  });

  function make() {
    chart = new uPlot({
      width: Math.max(160, plot.clientWidth), height, padding: [10, 14, 0, 0], legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8, width: 2,
        fill: (u, i) => colour(lines[i - 1].colour), stroke: () => colour("surface") } },
      scales: {
        x: { time: false, distr: x.log ? 3 : 1, ...(x.range ? { range: x.range } : {}) },
        y: { distr: y.log ? 3 : 1, ...(y.range ? { range: y.range } : {}) },
      },
      axes: [axis(x, 26, 46), axis(y, 46, 26)],
      series: [{}, ...lines.map((line) => ({
        stroke: () => colour(line.colour), width: line.dots ? 0 : line.width ?? 1.5, dash: line.dash, spanGaps: false,
        points: { show: Boolean(line.dots), size: 7, width: 1.5, stroke: () => colour(line.colour), fill: () => colour(line.hollow ? "surface" : line.colour) },
      }))],
      hooks: {
        draw: [(u) => marks?.(u)],
        setCursor: [(u) => { cursor = u.cursor.idx ?? null; readOut(); }],
      },
    }, columns, plot);
  }

  const sizes = new ResizeObserver(() => {
    const width = Math.max(160, plot.clientWidth);
    if (chart !== null && width !== chart.width) chart.setSize({ width, height });
  });
  sizes.observe(plot);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart?.redraw(true, true), { signal });
  signal.addEventListener("abort", () => { sizes.disconnect(); chart?.destroy(); });

  return {
    element,
    /** Hide the plot where there is nothing to draw. */
    show(some) {
      plot.hidden = !some;
      values.hidden = !some;
    },
    /** Show [xs, ...columns of lines]; drawn once it is on the page. */
    set(next) {
      columns = next;
      if (chart !== null) chart.setData(next);
      else requestAnimationFrame(() => { if (!signal.aborted && chart === null) make(); });
      readOut();
    },
  };
}

/** An upright line in a chart's own pixels, with a word at its foot. */
export function upright(u, at, word) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const x = u.valToPos(at, "x", true);
  if (x < left || x > left + width) return;
  ctx.save();
  ctx.strokeStyle = colour("muted");
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x, top);
  ctx.lineTo(x, top + height);
  ctx.stroke();
  ctx.fillStyle = colour("muted");
  ctx.font = `${11 * devicePixelRatio}px system-ui`;
  ctx.textBaseline = "bottom";
  ctx.textAlign = x > left + width / 2 ? "right" : "left";
  const place = [x + (ctx.textAlign === "right" ? -5 : 5) * devicePixelRatio, top + height - 3 * devicePixelRatio];
  ctx.setLineDash([]);
  ctx.strokeStyle = colour("surface"); // so that it can be read on top of a curve
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.strokeText(word, ...place);
  ctx.fillText(word, ...place);
  ctx.restore();
}

/** Intervals: of each x an upright line from low to high. */
export function intervals(u, xs, lows, highs, name) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.strokeStyle = colour(name);
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = 2 * devicePixelRatio;
  const floor = u.scales.y.min;
  xs.forEach((at, i) => {
    if (lows[i] === null || highs[i] === null) return;
    const x = u.valToPos(at, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, u.valToPos(Math.max(lows[i], floor), "y", true));
    ctx.lineTo(x, u.valToPos(Math.max(highs[i], floor), "y", true));
    ctx.stroke();
  });
  ctx.restore();
}
