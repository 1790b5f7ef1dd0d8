// Names of the simulator's faults as people say them.

const SPECIAL = { off_curve: "Off its curve", time_lag: "Time lag", unit_jump: "Other unit" };

/** `bearing_wear` -> "Bearing wear". */
export function faultName(kind) {
  const words = SPECIAL[kind] ?? kind.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
