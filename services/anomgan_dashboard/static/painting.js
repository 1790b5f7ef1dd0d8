// What a chart shows besides its lines: events, the band of what was expected, what lay outside it, onsets, sensor issues.

/** A colour of the theme, by its name; dark and light differ. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Run `paint(ctx, box)` with everything outside the plot cut off. */
function within(u, paint) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  paint(ctx, bbox);
  ctx.restore();
}

/** [from, to] in canvas pixels of a stretch of time, at least two pixels wide; null where it is not in sight. */
function stretch(u, start, end) {
  const { left, width } = u.bbox;
  const from = Math.max(left, u.valToPos(start, "x", true));
  const to = Math.min(left + width, Math.max(u.valToPos(end, "x", true), from + 2 * devicePixelRatio));
  return to <= left || from >= left + width ? null : [from, to];
}

/** Bands behind the curves where events are. */
export function paintEvents(u, events) {
  within(u, (ctx, { top, height }) => {
    for (const event of events) {
      const at = stretch(u, event.start_s, event.end_s);
      if (at === null) continue;
      ctx.fillStyle = colour(event.selected ? "event-selected" : "event");
      ctx.fillRect(at[0], top, at[1] - at[0], height);
    }
  });
}

/** What lies between two columns, one polygon per run without a hole. */
export function paintBetween(u, one, other, paint) {
  const times = u.data[0];
  within(u, (ctx) => {
    ctx.fillStyle = colour(paint);
    ctx.beginPath();
    let from = -1;
    const close = (to) => {
      if (from >= 0 && to > from) {
        ctx.moveTo(u.valToPos(times[from], "x", true), u.valToPos(one[from], "y", true));
        for (let i = from + 1; i <= to; i += 1) ctx.lineTo(u.valToPos(times[i], "x", true), u.valToPos(one[i], "y", true));
        for (let i = to; i >= from; i -= 1) ctx.lineTo(u.valToPos(times[i], "x", true), u.valToPos(other[i], "y", true));
        ctx.closePath();
      }
      from = -1;
    };
    for (let i = 0; i < times.length; i += 1) {
      const whole = one[i] !== null && other[i] !== null;
      if (whole && from < 0) from = i;
      else if (!whole) close(i - 1);
    }
    close(times.length - 1);
    ctx.fill("evenodd");
  });
}

/** Where the observed has left the band: its curve there, thick, and a dot where it is one reading alone. */
export function paintOutside(u, outside) {
  const times = u.data[0];
  within(u, (ctx) => {
    ctx.strokeStyle = colour("alarm");
    ctx.lineWidth = 3.5 * devicePixelRatio;
    ctx.lineCap = "round";
    ctx.lineJoin = "round";
    ctx.beginPath();
    let before = -2;
    for (let i = 0; i < times.length; i += 1) {
      if (outside[i] === null) continue;
      const [x, y] = [u.valToPos(times[i], "x", true), u.valToPos(outside[i], "y", true)];
      if (before !== i - 1) ctx.moveTo(x, y);
      ctx.lineTo(x, y + (before === i - 1 ? 0 : 0.01)); // a point of its own is a round cap
      before = i;
    }
    ctx.stroke();
  });
}

/** When a channel left normal, and as which of them. */
export function paintOnsets(u, onsets) {
  within(u, (ctx, { top, height }) => {
    const ratio = devicePixelRatio;
    ctx.strokeStyle = colour("ink");
    ctx.fillStyle = colour("ink");
    ctx.lineWidth = ratio;
    ctx.font = `600 ${11 * ratio}px system-ui`;
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    for (const { time_s: time, place } of onsets) {
      const x = Math.round(u.valToPos(time, "x", true)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
      ctx.fillText(place, x + 4 * ratio, top + 2 * ratio);
    }
  });
}

/** Where a channel's data were sick: a strip along the bottom. */
export function paintIssues(u, issues) {
  within(u, (ctx, { top, height }) => {
    ctx.fillStyle = colour("silent");
    const tall = 3 * devicePixelRatio;
    for (const issue of issues) {
      const at = stretch(u, issue.start_s, issue.end_s);
      if (at !== null) ctx.fillRect(at[0], top + height - tall, at[1] - at[0], tall);
    }
  });
}
