// What happens at each step of a flow, in words and numbers: pure functions of the data.
//
// A line is a list of [text, kind]: kinds are "forward", "reverse", "strong" and "muted".

import { num, numberText } from "./common.js";
import { cotangentSlips, tangentSlips } from "./predict.js";

const MOST_RESULTS = 3; // of one equation, in the explanation of its step

/** The variable with a dot: its tangent. */
export function dotted(name) {
  // i and j have a dot already, which a second one would hide
  return `${name}${/[ij]$/.test(name) ? "\u02d9" : "\u0307"}`.normalize("NFC");
}

/** The variable with a bar: its cotangent. */
export function barred(name) {
  return `${name}\u0304`.normalize("NFC");
}

/**
 * When each number appears: `forward[row]`, and `parts[row][i]` for contributions, as steps. What
 * is given, inputs and seeds, is there from the start. `split` is the last step of the forward
 * sweep, `total` the last of all.
 */
export function flowTimes(data) {
  const split = data.forward.length;
  const forward = data.rows.map(() => 0);
  data.forward.forEach((group, i) => group.forEach((row) => (forward[row] = i + 1)));
  data.rows.forEach((row, i) => {
    if (row.kind === "output") forward[i] = forward[row.reads[0]] ?? 0;
  });
  const parts = data.rows.map((row) => row.parts.map(() => Infinity));
  data.reverse.forEach(([row, part], i) => (parts[row][part] = split + i + 1));
  return { forward, parts, split, total: split + data.reverse.length };
}

/** The steps that a choice of sweep and columns leaves: [first, last]. */
export function flowRange(times, sweep, cotangents) {
  const back = cotangents && sweep !== "forward";
  return [sweep === "reverse" && back ? times.split : 0, back ? times.total : times.split];
}

/**
 * What step number `step` does: the rows it fills, the rows it reads, and where it is.
 * `column` says what it fills; `part` is the number of a contribution.
 */
export function flowMoment(data, times, step) {
  if (step < 1) return { sweep: "", rows: [], from: [], step };
  if (step <= times.split) {
    const rows = data.forward[step - 1];
    const from = data.rows[rows[0]].reads.filter((row) => row !== null);
    return { sweep: "forward", rows, from: [...new Set(from)], step };
  }
  const [row, part] = data.reverse[step - times.split - 1];
  return { sweep: "reverse", rows: [row], part, from: [data.rows[row].parts[part].from], step };
}

const equation = (row) => `${row.name} = ${row.text}`;
const saysMore = (numbers, picture) => numbers && numbers !== picture.text;

/** The lines that explain a moment; what `hidden` names is not told: "tangent", "cotangent", … */
export function flowLines(data, moment, { tangents = true, hidden = null } = {}) {
  if (moment.sweep === "forward") return forwardLines(data, moment, tangents, hidden);
  if (moment.sweep === "reverse") return reverseLines(data, moment, hidden);
  const inputs = data.rows.filter((row) => row.kind === "input");
  const given = inputs.slice(0, 6).map((row) => `${equation(row)} = ${row.primal.text}`);
  const more = inputs.length > 6 ? `, … ${inputs.length - 6} more` : "";
  return [[["The inputs: ", "muted"], [`${given.join(", ") || "none"}${more}`, "forward"]]];
}

function forwardLines(data, moment, tangents, hidden) {
  const lines = [];
  for (const i of moment.rows.slice(0, MOST_RESULTS)) {
    const row = data.rows[i];
    const told = hidden === "primal" ? ["?", "strong"] : [row.primal.text, "forward strong"];
    lines.push([[`${equation(row)} = `, ""], told]);
    if (!tangents) continue;
    if (row.tangent === null) {
      lines.push([["No tangent flows here.", "muted"]]);
      continue;
    }
    const dot = dotted(row.name);
    if (hidden === "tangent") {
      lines.push([[`${dot} = `, ""], ["?", "strong"]]);
      continue;
    }
    const line = [[`${dot} = `, ""]];
    if (row.rule) line.push([`${row.rule} = `, ""]);
    if (saysMore(row.numbers, row.tangent)) line.push([`${row.numbers} = `, ""]);
    lines.push([...line, [row.tangent.text, "forward strong"]]);
  }
  const more = moment.rows.length - MOST_RESULTS;
  if (more > 0) lines.push([[`… and ${more} more results`, "muted"]]);
  return lines;
}

function reverseLines(data, moment, hidden) {
  const row = data.rows[moment.rows[0]];
  const part = row.parts[moment.part];
  const from = data.rows[part.from];
  const bar = barred(row.name);
  const count = row.parts.length;
  const lines = [];
  const told = hidden ? ["?", "strong"] : null;
  if (part.rule === "seed") {
    const what = `${bar} ${moment.part ? "also gets" : "starts as"} the seed of ${from.name}`;
    lines.push([[`${what}: `, ""], told ?? [part.share.text, "reverse strong"]]);
  } else {
    const line = [[`${equation(from)} `, ""], ["gives ", "muted"], [`${bar} ${count > 1 ? "+= " : "= "}`, ""]];
    if (!hidden) {
      line.push([`${part.rule} = `, ""]);
      if (saysMore(part.numbers, part.share)) line.push([`${part.numbers} = `, ""]);
    }
    lines.push([...line, told && count === 1 ? told : told ? ["…", "muted"] : [part.share.text, "reverse strong"]]);
  }
  if (count > 1) {
    const sum = [[`${bar} = `, ""], [`${sumText(row, moment.part)} = `, ""]];
    const total = part.total ?? part.share;
    const left = count - moment.part - 1;
    const rest = left ? ` (${left} more to come)` : hidden ? "" : " (complete)";
    if (hidden) lines.push([[`${bar} = `, ""], ["?", "strong"], [rest, "muted"]]);
    else lines.push([...(moment.part ? sum : sum.slice(0, 1)), [total.text, "reverse strong"], [rest, "muted"]]);
  }
  return lines;
}

/** The contributions up to number `last` between plus signs; what came before as one number. */
export function sumText(row, last) {
  const parts = row.parts.slice(0, last + 1);
  if (row.primal.n > 1) return parts.map((part) => part.rule).join(" + ");
  const texts = parts.map((part) => part.share.text);
  const shown = texts.length > 4 ? [row.parts[last - 1].total.text, texts[last]] : texts;
  return shown.map((text, i) => (i && text.startsWith("−") ? `(${text})` : text)).join(" + ");
}

/** A line's plain text. */
export const lineText = (line) => line.map(([text]) => text).join("");

/** A moment as a full sentence, for readers who do not see it. */
export function flowSentence(data, times, moment, lines) {
  const where = moment.sweep ? `Step ${moment.step} of ${times.total}, ${moment.sweep} sweep.` : "Start.";
  return `${where} ${lines.map((line) => lineText(line).replace(/[.]?$/, ".")).join(" ")}`;
}

// --- questions ------------------------------------------------------------------------------

/**
 * What a learner is asked at a moment, or null where nothing can be: `column`, `name`, `entry`
 * (for people, of arrays), `value`, `slips`, and two hints.
 */
export function flowQuestion(data, moment, { tangents = true, ask = "entry" } = {}) {
  if (moment.sweep === "forward") return forwardQuestion(data, moment, tangents, ask);
  if (moment.sweep === "reverse") return reverseQuestion(data, moment, ask);
  return null;
}

function forwardQuestion(data, moment, tangents, ask) {
  const row = data.rows[moment.rows[0]];
  const column = tangents ? "tangent" : "primal";
  const picture = row[column];
  if (!picture || moment.rows.length > 1) return null;
  const place = pickedPlace(picture, row.type, ask, moment.step);
  const value = entryOf(picture, place);
  if (!Number.isFinite(value)) return null;
  const primal = entryOf(row.primal, place);
  if (column === "primal") {
    const slips = [{ value: -value, slip: "sign", say: "Right but for the sign." }];
    return { column, name: row.name, place, entry: place.text, value, slips, hints: [equation(row)] };
  }
  const terms = [];
  row.reads.forEach((from, port) => {
    const operand = data.rows[from];
    if (!operand?.tangent) return;
    const tangent = entryOf(operand.tangent, place);
    const local = localAt(row, operand, moment.rows[0], port, place, picture, tangent);
    terms.push({ name: operand.name, dot: dotted(operand.name), local, tangent, primal: entryOf(operand.primal, place) });
  });
  const sum = terms.reduce((all, term) => all + term.local * term.tangent, 0);
  const known = Math.abs(sum - value) <= 1e-3 * Math.max(1e-3, Math.abs(value));
  const dot = dotted(row.name);
  const slips = tangentSlips({ name: row.name, dot, primal, value, terms: known ? terms : [] });
  const hints = hintsOf(dot, row);
  if (known && place.text && !place.sum) hints.push(`at ${place.text}: ${termsText(terms)}`);
  return { column, name: dot, place, entry: place.text, value, slips, hints };
}

/** A local derivative: known of scalars; of arrays, what the reverse sweep did to this entry. */
function localAt(row, operand, rowNumber, port, place, picture, tangent) {
  const known = row.derivatives?.[port];
  if (known !== undefined && known !== null) return num(known);
  if (place.sum) return NaN;
  const part = operand.parts.find((one) => one.from === rowNumber && one.port === port);
  const local = part && row.cotangent ? entryOf(part.share, place) / entryOf(row.cotangent, place) : NaN;
  if (Number.isFinite(local)) return local;
  return row.reads.length === 1 ? entryOf(picture, place) / tangent : NaN;
}

function reverseQuestion(data, moment, ask) {
  const row = data.rows[moment.rows[0]];
  const part = row.parts[moment.part];
  const picture = part.total ?? part.share;
  const place = pickedPlace(picture, row.type, ask, moment.step);
  const value = entryOf(picture, place);
  if (!Number.isFinite(value)) return null;
  const bar = barred(row.name);
  const from = data.rows[part.from];
  const before = moment.part ? row.parts[moment.part - 1] : null;
  const seed = from.kind === "output" ? NaN : entryOf(from.cotangent, place);
  const share = entryOf(part.share, place);
  const known = from.derivatives?.[part.port];
  const local = known !== undefined && known !== null ? num(known) : place.sum ? NaN : share / seed;
  const slips = cotangentSlips({
    name: row.name,
    bar,
    value,
    before: before ? entryOf(before.total ?? before.share, place) : null,
    share,
    seed,
    outer: barred(from.name),
    local,
    primal: entryOf(row.primal, place),
    tangent: row.tangent ? entryOf(row.tangent, place) : NaN,
  });
  const held = before ? `${(before.total ?? before.share).text} + ` : "";
  const hints = [`${bar} = ${before ? `what ${bar} holds + ` : ""}${part.rule === "seed" ? `the seed of ${from.name}` : part.rule}`];
  if (part.numbers) hints.push(`${bar} = ${held}${part.numbers}`);
  else if (part.rule === "seed") hints.push(`${bar} = ${held}${part.share.text}`);
  else if (Number.isFinite(local) && place.text) {
    const old = before ? `${numberText(entryOf(before.total ?? before.share, place))} + ` : "";
    hints.push(`at ${place.text}: ${old}${termsText([{ local, tangent: seed }])}`);
  }
  return { column: "cotangent", name: bar, place, entry: place.text, value, slips, hints };
}

/** Products of local derivatives and tangents, in numbers. */
function termsText(terms) {
  const inBrackets = (value) => (value < 0 ? `(${numberText(value)})` : numberText(value));
  return terms.map(({ local, tangent }) => `${inBrackets(local)}·${inBrackets(tangent)}`).join(" + ");
}

function hintsOf(name, row) {
  const hints = [`${name} = ${row.rule || "the tangent of its operand"}`];
  if (row.numbers) hints.push(`${name} = ${row.numbers}`);
  return hints;
}

/** Which entry of an array is asked, or its sum; the same at each visit of the step. */
function pickedPlace(picture, type, ask, step) {
  if (picture.n === 1 || !picture.p) return { text: "" };
  if (ask === "sum") return { sum: true, text: "the sum of its entries" };
  const [rows, columns] = [picture.p.length, picture.p[0].length];
  const cells = rows * columns;
  let cell = (step * 5 + 1) % cells;
  for (let tried = 0; tried < cells; tried += 1) {
    const found = num(picture.p[Math.floor(cell / columns)][cell % columns]);
    if (found !== 0 && Number.isFinite(found)) break;
    cell = (cell + 1) % cells;
  }
  const [i, j] = [Math.floor(cell / columns), cell % columns];
  return { i, j, text: `entry ${entryName(picture, type, i, j)}` };
}

/** The number at a place: of an array of the same kind, or a number that goes with all. */
function entryOf(picture, place) {
  if (picture === null) return NaN;
  if (picture.n === 1) return typeof picture.v?.[0] === "boolean" ? NaN : num(picture.v?.[0]);
  if (place.sum) return num(picture.sum);
  return num(picture.p?.[place.i]?.[place.j]);
}

/** The index in an array of a cell of its picture: `[2, 0]`. */
export function entryName(picture, type, i, j) {
  const sizes = (type.match(/\[([\d,]*)\]/)?.[1] ?? "").split(",").filter(Boolean).map(Number);
  const column = picture.at ? picture.at[1][j] : j;
  let row = picture.at ? picture.at[0][i] : i;
  const index = [column];
  for (const size of sizes.slice(0, -1).reverse()) {
    index.unshift(row % size);
    row = Math.floor(row / size);
  }
  return `[${index.join(", ")}]`;
}
