// A device's past as the API tells it, made ready for charts: gaps opened, bands worked out.

export const WITNESSES = [["discriminator", "Discriminator", "The discriminator's own output on the window"],
  ["reconstruction", "Reconstruction", "What the generator cannot rebuild of the window"],
  ["pattern", "Pattern", "How far the window lies from the patterns of normal ones"]];

/**
 * Columns with their gaps opened, so that no line is drawn across one; by channel also low, high and outside (null = no band),
 * and imputed, the lower edge where what is expected was imputed from the other channels.
 */
export function openGaps(history) {
  const names = ["surprise", "threshold", ...WITNESSES.map(([name]) => name)];
  const fields = ["observed", "expected", "contribution", "outside", "from", "to"];
  const rows = history.times.length;
  const channels = history.channels.map(({ imputed = [], ...channel }) => ({ ...channel, outside: spreadOut(channel.outside, rows),
    from: spreadOut(imputed.map(([row, low]) => [row, low]), rows), to: spreadOut(imputed.map(([row, , high]) => [row, high]), rows) }));
  const columns = [...names.map((name) => history[name]), ...channels.flatMap((channel) => fields.map((field) => channel[field]))];
  const [times, ...opened] = breakGaps(history.times, columns, history.gap_s);
  const past = { times };
  names.forEach((name, i) => { past[name] = opened[i]; });
  past.channels = channels.map(({ name, unit, band }, i) => {
    const [observed, expected, contribution, outside, from, to] = opened.slice(names.length + fields.length * i);
    return { name, unit, observed, expected, contribution, outside, imputed: from, ...edges(times, expected, band, from, to) };
  });
  return past;
}

/** [[row, value], ...] as a column. */
function spreadOut(pairs, length) {
  const column = new Array(length).fill(null);
  for (const [row, value] of pairs) column[row] = value;
  return column;
}

/**
 * The edges of the band around what was expected: those that were imputed, `from` and `to`, where there are some; else each
 * step of `band` holds from its time on. Null where there is none.
 */
function edges(times, expected, band, from, to) {
  if (!band.some((step) => step.low !== null) && from.every((value) => value === null)) return { low: null, high: null };
  let at = -1;
  const [low, high] = [[], []];
  times.forEach((time, i) => {
    while (at + 1 < band.length && band[at + 1].since_s <= time + 0.001) at += 1; // times come rounded
    const step = at < 0 ? null : band[at];
    const known = step !== null && step.low !== null && expected[i] !== null;
    const scaled = known ? Math.asinh((expected[i] - step.centre) / step.spread) : 0;
    if (from[i] !== null) {
      low.push(from[i]);
      high.push(to[i]);
      return;
    }
    low.push(known ? Math.sinh(scaled + step.low) * step.spread + step.centre : null);
    high.push(known ? Math.sinh(scaled + step.high) * step.spread + step.centre : null);
  });
  return { low, high };
}

/** Columns with a row of nulls in every gap, so that no line is drawn across it. */
function breakGaps(times, columns, gap) {
  const cuts = gap === null ? [] : times.flatMap((time, i) => (i > 0 && time - times[i - 1] > gap ? [i] : []));
  if (cuts.length === 0) return [times, ...columns];
  const open = (column, filler) => {
    const out = [];
    let from = 0;
    for (const cut of cuts) {
      for (let i = from; i < cut; i += 1) out.push(column[i]);
      out.push(filler(cut));
      from = cut;
    }
    for (let i = from; i < column.length; i += 1) out.push(column[i]);
    return out;
  };
  return [open(times, (cut) => (times[cut - 1] + times[cut]) / 2), ...columns.map((column) => open(column, () => null))];
}
