// Numbers, times and durations as people read them. Times are event times, shown in the viewer's time zone.

const LANGUAGE = "en-GB";
const clock = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short" });
const longDate = new Intl.DateTimeFormat(LANGUAGE, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const significant = [3, 4].map((digits) => new Intl.NumberFormat("en", { maximumSignificantDigits: digits }));
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const UNKNOWN = "–";

export const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

/** A measured value: four significant digits, never rounding away what stands before the point. */
export function number(value) {
  if (!known(value)) return UNKNOWN;
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return value.toExponential(2);
  return size >= 1000 ? whole.format(value) : significant[1].format(value);
}

/** From one value to another, in three significant digits or as many as tell the two apart. */
export function span(low, high) {
  if (!known(low) || !known(high)) return UNKNOWN;
  const alike = Math.log10(Math.max(Math.abs(low), Math.abs(high)) / (high - low));
  const digits = Number.isFinite(alike) ? Math.min(9, Math.max(3, Math.ceil(alike) + 2)) : 3;
  const [a, b] = [low, high].map((value) => number(Number(value.toPrecision(digits))));
  return `${a} to ${b}`;
}

/** A value with its unit. */
export const quantity = (value, unit) => (unit && known(value) ? `${number(value)} ${unit}` : number(value));

/** A surprise: one decimal. */
export const surprise = (value) => (known(value) ? value.toFixed(1) : UNKNOWN);

/** What a surprise means: how rare a normal window so odd is. */
export function odds(value) {
  if (!known(value)) return "not known yet";
  if (value < 0.5) return "quite ordinary";
  if (value > 9) return "less than 1 in a billion";
  const one = 10 ** value;
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(one)) - 1);
  return `1 in ${whole.format(Math.round(one / digits) * digits)}`;
}

export const percent = (share) => (known(share) ? `${Math.round(share * 100)} %` : UNKNOWN);

export const timeOfDay = (seconds) => clock.format(seconds * 1000);
export const hourMinute = (seconds) => minute.format(seconds * 1000);
export const day = (seconds) => date.format(seconds * 1000);
export const fullDay = (seconds) => longDate.format(seconds * 1000);
export const dateTime = (seconds) => (known(seconds) ? `${day(seconds)}, ${timeOfDay(seconds)}` : UNKNOWN);

/** From one time to another; the date stands twice only where it changes. */
export const timeSpan = (start, end) => `${dateTime(start)} – ${day(start) === day(end) ? timeOfDay(end) : dateTime(end)}`;

/** A length of time in its two largest units. */
export function duration(seconds) {
  if (!known(seconds)) return UNKNOWN;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 60)} min`;
  if (s < 86400) return s % 3600 >= 60 ? `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min` : `${s / 3600 | 0} h`;
  return s % 86400 >= 3600 ? `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h` : `${s / 86400 | 0} d`;
}

/** How long before `now` something was. */
export function ago(seconds, now) {
  if (!known(seconds)) return "never";
  return now - seconds < 5 ? "now" : `${duration(now - seconds)} ago`;
}

/** 1st, 2nd, 3rd, 4th, 11th. */
export function ordinal(n) {
  const last = n % 100 > 10 && n % 100 < 14 ? 0 : n % 10;
  return `${n}${["th", "st", "nd", "rd"][last] ?? "th"}`;
}

/** "flow", "flow and pressure", "flow, pressure and speed". */
export const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`);
