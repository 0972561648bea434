// What the assembly of a Jacobian comes to in passes and costs, and how that is told. Nothing here
// touches the page.

import { num, numberText } from "./common.js";
import { groupLetter } from "./jacobian_matrix.js";

// numbers of a vector that are written out
const MOST_TOLD = 8;

export const SIDES = {
  forward: { title: "Forward mode", product: "JVP", writes: "column", verb: "pushes" },
  reverse: { title: "Reverse mode", product: "VJP", writes: "row", verb: "pulls" },
};
const ONE_MODE = {
  rev: "This function has a custom VJP, so there is only reverse mode: rows.",
  fwd: "A loop of unknown length has no reverse mode, so there is only forward mode: columns.",
};

/** A noun with its count. */
export function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

const grouped = (count) => count.toLocaleString("en");

/** How many passes each side needs in a mode; null where the function has no such mode. */
export function passCounts(block, mode, restricted) {
  const [m, n] = block.shape;
  const [forward, reverse] = mode === "compressed" ? block.groups : [n, m];
  return {
    forward: restricted === "rev" ? null : forward,
    reverse: restricted === "fwd" ? null : reverse,
  };
}

/** How many steps fill the matrix: merged rows or columns take one step together. */
export function stepCount(block, mode, restricted) {
  const [m, n] = block.picture;
  const [forward, reverse] = mode === "compressed" ? block.groups : [n, m];
  return { fwd: forward, rev: reverse }[restricted] ?? Math.max(forward, reverse);
}

/** How many passes of a side are done after some steps. */
export function passesDone(block, side, mode, step, count) {
  const bundle = mode === "compressed" ? 1 : block.bundle[side === "forward" ? 1 : 0];
  return Math.min(count, step * bundle);
}

/** The positions of the ones in a pass's seed. */
export function seedOf(block, side, mode, pass) {
  if (mode === "dense") return [pass];
  const groups = side === "forward" ? block.columnColours : block.rowColours;
  return groups.flatMap((group, k) => (group === pass ? [k] : []));
}

/** What a pass gives: a column of J or of J·S, or a row of J or of W·J. */
export function productOf(block, side, mode, pass) {
  const forward = side === "forward";
  const values = new Array(block.shape[forward ? 0 : 1]).fill(0);
  const own = forward ? block.column : block.row;
  const passes = mode === "dense" ? own : block.colours[forward ? 0 : 1];
  block.values(side).forEach((value, k) => {
    if (passes[k] === pass) values[forward ? block.row[k] : block.column[k]] = value;
  });
  return values;
}

/** A vector in few words: all of it if short, else what is not zero. */
export function vectorText(values, name) {
  if (values.length <= MOST_TOLD) return `= (${values.map(numberText).join(", ")})`;
  const there = values.flatMap((value, k) => (num(value) === 0 ? [] : [k]));
  if (there.length > values.length / 2) {
    const first = values.slice(0, 5).map(numberText).join(", ");
    return `= (${first}, … ${values.length} numbers)`;
  }
  if (!there.length) return "is all zero";
  const told = there.slice(0, 4).map((k) => `${name(k)}: ${numberText(values[k])}`);
  const more = there.length > 4 ? `, … ${there.length} of ${values.length} are not zero` : "";
  return `is zero but for ${told.join(", ")}${more}`;
}

/** A seed as a sum of unit vectors, and its numbers or the names of its ones. */
export function seedText(block, side, mode, pass) {
  const hot = seedOf(block, side, mode, pass);
  const size = block.shape[side === "forward" ? 1 : 0];
  const name = side === "forward" ? block.columnName : block.rowName;
  const sum = shortList(hot.map((k) => `e${subscript(k)}`), 6, " + ");
  if (size > MOST_TOLD) return `= ${sum}, one at ${shortList(hot.slice(0, 9).map(name), 4, ", ")}`;
  const numbers = Array.from({ length: size }, (_, k) => (hot.includes(k) ? "1" : "0"));
  return `= ${sum} = (${numbers.join(", ")})`;
}

function shortList(items, most, joint) {
  return items.slice(0, most).join(joint) + (items.length > most ? `${joint}…` : "");
}

function subscript(k) {
  return String(k).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]);
}

// --- costs ------------------------------------------------------------------------------------

/** What all passes of a mode cost: in evaluations of f where these are known, else in passes. */
export function totals(block, costs, mode) {
  const [m, n] = block.shape;
  const [columns, rows] = mode === "compressed" ? block.groups : [n, m];
  const unit = (one) => (costs.function > 0 && one !== null ? one / costs.function : 1);
  return { forward: columns * unit(costs.jvp), reverse: rows * unit(costs.vjp) };
}

/** Which mode is cheaper, and why, in a sentence or two. */
export function verdict(block, costs, restricted) {
  if (restricted) return ONE_MODE[restricted];
  const dense = totals(block, costs, "dense");
  const packed = totals(block, costs, "compressed");
  const say = (x) => `${rounded(x)}${costs.function > 0 ? " evaluations of f" : " passes"}`;
  const better = packed.forward <= packed.reverse ? "forward" : "reverse";
  let text = `The matrix is ${shapeText(block)}. ${comparison(block, dense, say)}`;
  if (packed[better] < Math.min(dense.forward, dense.reverse)) {
    const passes = counted(block.groups[better === "forward" ? 0 : 1], SIDES[better].product);
    const mode = SIDES[better].title.toLowerCase();
    text += ` Compressed, ${mode} needs ${passes}: ${say(packed[better])}.`;
  }
  return text;
}

function rounded(x) {
  return numberText(Number(x.toPrecision(3)));
}

function shapeText(block) {
  const [m, n] = block.shape;
  const [rows, columns] = [counted(m, "row"), counted(n, "column")];
  if (n === m) return `square: ${columns} and ${rows}`;
  return n > m ? `wide: ${rows}, but ${columns}` : `tall: ${columns}, but ${rows}`;
}

function comparison(block, dense, say) {
  const [m, n] = block.shape;
  const cheaper = dense.forward <= dense.reverse ? "forward" : "reverse";
  const other = cheaper === "forward" ? "reverse" : "forward";
  if (dense[other] < 1.15 * dense[cheaper]) {
    const both = `${say(dense.forward)} by columns, ${say(dense.reverse)} by rows`;
    return `Both modes cost about the same: ${both}.`;
  }
  const [mine, theirs] = [SIDES[cheaper], SIDES[other]];
  const fewer = cheaper === "forward" ? n < m : m < n;
  let why = `as it needs a pass for each ${mine.writes} only`;
  if (n === m) why = `as one ${mine.product} costs less than one ${theirs.product}`;
  else if (!fewer) why = "although it needs more passes, as each costs less";
  return `${mine.title} is cheaper, ${why}: ${say(dense[cheaper])} against ${say(dense[other])}.`;
}

/** Passes, evaluations of f, and operations so far, as [strong, plain]. */
export function counterText(costs, side, done, total) {
  const one = side === "forward" ? costs.jvp : costs.vjp;
  let text = ` ${SIDES[side].product}s`;
  if (costs.function > 0 && one !== null) {
    const operations = grouped(done * one);
    text += ` · ${rounded((done * one) / costs.function)} × f`;
    text += ` · ${costs.complete ? "" : "≥ "}${operations} operations`;
  }
  return [`${done} of ${total}`, text];
}

/** A bar's words: `3 JVPs × 2.1 f = 6.3 f`. */
export function costText(side, count, one, known) {
  const passes = counted(count, SIDES[side].product);
  if (!known) return passes;
  return `${passes} × ${numberText(Number(one.toPrecision(2)))} f = ${rounded(count * one)} f`;
}

export function patternText(block) {
  const [m, n] = block.shape;
  const [columns, rows] = block.groups;
  return (
    `${grouped(block.entries)} of ${grouped(m * n)} entries can differ from zero. Columns of one ` +
    `letter share no row, so one JVP pushes them together: ${counted(n, "column")} in ` +
    `${counted(columns, "group")}. Rows likewise: ${m} in ${counted(rows, "group")}.`
  );
}

/** Which columns or rows a group has. */
export function letterText(block, side, group) {
  const forward = side === "forward";
  const names = seedOf(block, side, "compressed", group).map(
    forward ? block.columnName : block.rowName,
  );
  const letter = forward ? groupLetter(group) : groupLetter(group).toUpperCase();
  return `group ${letter}: ${shortList(names, 5, ", ")}`;
}

// --- narration --------------------------------------------------------------------------------

/** One step as a sentence, or what there is to do before the first. */
export function stepSentence(block, mode, restricted, step) {
  const passes = passCounts(block, mode, restricted);
  const sides = ["forward", "reverse"].filter((side) => passes[side] !== null);
  if (!step) {
    const needs = sides.map(
      (side) => `${counted(passes[side], SIDES[side].product)} by ${SIDES[side].writes}s`,
    );
    return `Nothing is written yet: ${needs.join(", ")} to go. Press Play, or → for one pass.`;
  }
  const told = sides.map((side) => sideSentence(block, side, mode, step, passes[side]));
  return `Step ${step} of ${stepCount(block, mode, restricted)}: ${told.join("; ")}.`;
}

function sideSentence(block, side, mode, step, total) {
  const { product, writes, verb } = SIDES[side];
  const done = passesDone(block, side, mode, step, total);
  const before = passesDone(block, side, mode, step - 1, total);
  if (done === before) return `${side} mode is complete after ${counted(total, product)}`;
  if (!block.whole) return `${side} mode has done ${done} of ${counted(total, product)}`;
  const name = side === "forward" ? block.columnName : block.rowName;
  const hot = seedOf(block, side, mode, step - 1).map(name);
  const many = `${hot.slice(0, 3).join(" + ")} + … (${hot.length} together)`;
  const what = hot.length > 4 ? many : hot.join(" + ");
  const place = hot.length === 1 ? `${writes} ${what}` : `${hot.length} ${writes}s at once`;
  const letter = groupLetter(step - 1);
  const group = `, group ${side === "forward" ? letter : letter.toUpperCase()},`;
  return `${side} mode ${verb} ${what}${mode === "compressed" ? group : ""} and writes ${place}`;
}

/** A number with all its digits. */
export function exactText(value) {
  return typeof value === "number" ? String(value).replace("-", "−") : numberText(value);
}
