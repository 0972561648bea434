// What equations cost and how large their values are: in words, and as colours.

import { amount, bytesText, h, numberText } from "./common.js";

const UNITS = { flops: countText, bytes: bytesText, seconds: secondsText, magnitude: numberText };
const PALEST = 0.08; // so that the least is told from nothing

/** The least and the most of a cost over equations and parts; null where nothing is known. */
export function costScale(program, kind, measures) {
  const parts = program.boxes.filter((box) => box.group);
  const values = [...program.nodes, ...parts]
    .map((one) => program.cost(one.path, kind, measures)?.value ?? 0)
    .filter((value) => value > 0);
  if (!values.length) return null;
  const low = values.reduce((a, b) => Math.min(a, b)); // too many for Math.min(...values)
  return { kind, low, high: values.reduce((a, b) => Math.max(a, b)) };
}

/** Where the cost of a path stands between the least and the most, by orders of magnitude. */
export function shareOn(scale, program, path, measures) {
  if (!scale) return null;
  const value = program.cost(path, scale.kind, measures)?.value ?? 0;
  if (!(value > 0)) return null;
  const { low, high } = scale;
  return high > low ? PALEST + (1 - PALEST) * (Math.log(value / low) / Math.log(high / low)) : 1;
}

/** What the colours mean. */
export function legendParts({ kind, low, high }, measures, dark) {
  const stops = [PALEST, 0.3, 0.55, 0.8, 1].map((share) => amount(share, dark)).join(", ");
  const partial = ["seconds", "magnitude"].includes(kind) && measures.complete === false;
  return [
    h("span", {}, kind),
    h("span", {}, UNITS[kind](low)),
    h("span", { class: "adlib-j-scale", style: `background: linear-gradient(90deg, ${stops})` }),
    h("span", {}, UNITS[kind](high)),
    partial ? h("span", {}, "(first rounds of long loops)") : "",
  ];
}

/** Costs in words. */
export function costText(program, path, measures) {
  const parts = [];
  const flops = program.cost(path, "flops", measures);
  const moved = program.cost(path, "bytes", measures);
  const { node } = program.byPath.get(path);
  if (node && node.kind !== "equation") return "";
  if (flops && (flops.value || !flops.partial))
    parts.push(`${flops.partial ? "at least " : ""}${countText(flops.value)} ${flops.value === 1 ? "flop" : "flops"}`);
  if (moved) parts.push(`${bytesText(moved.value)} read and written`);
  const seconds = program.cost(path, "seconds", measures);
  if (seconds) parts.push(secondsText(seconds.value));
  const rounds = node ? measures.runs?.[node.index] ?? node.rounds : 1;
  if (rounds > 1) parts.push(`in ${rounds} rounds`);
  const size = program.cost(path, "magnitude", measures);
  if (size) parts.push(`largest magnitude ${numberText(size.value)}`);
  const bad = ["nans", "infs"].map((kind) => (node ? measures[kind]?.[node.index] : 0) || 0);
  if (bad[0]) parts.push(`${bad[0]} nan`);
  if (bad[1]) parts.push(`${bad[1]} inf`);
  return parts.join(", ");
}

/** A number of things, with thousands apart. */
export function countText(value) {
  return value >= 1e6 ? numberText(value) : Math.round(value).toLocaleString("en");
}

/** A time, in the unit that suits it. */
export function secondsText(value) {
  if (value >= 1) return `${numberText(value)} s`;
  return value >= 1e-3 ? `${numberText(value * 1e3)} ms` : `${numberText(value * 1e6)} µs`;
}
