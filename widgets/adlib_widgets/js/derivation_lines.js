// What belongs together in a derivation, and how one equation is written.

import { h, s } from "./common.js";

const ROLES = { primal: "", tangent: "tangent", cotangent: "cotangent", sum: "sum of cotangents" };

/** The key of an equation: positions of its program and of itself. */
export function keyOf(program, line) {
  return `${program}.${line}`;
}

/** For each equation the one it comes from and those that come from it. */
export function families(programs) {
  const parents = new Map();
  const children = new Map();
  programs.forEach((program, p) =>
    program.lines.forEach((line, i) => {
      if (line.parent.length !== 2) return;
      const [key, parent] = [keyOf(p, i), keyOf(...line.parent)];
      parents.set(key, parent);
      children.set(parent, [...(children.get(parent) ?? []), key]);
    }),
  );
  return { parents, children };
}

/** An equation's ancestors and descendants: {keys, links}, a link being [parent, child]. */
export function relatives({ parents, children }, key) {
  const keys = new Set([key]);
  const links = [];
  for (let at = key; parents.has(at); at = parents.get(at)) {
    links.push([parents.get(at), at]);
    keys.add(parents.get(at));
  }
  const open = [key];
  while (open.length) {
    const at = open.pop();
    for (const child of children.get(at) ?? []) {
      links.push([at, child]);
      keys.add(child);
      open.push(child);
    }
  }
  return { keys, links };
}

/** A program as text, for pasting. */
export function programText(program, depth = 0) {
  const space = "  ".repeat(depth);
  const ends = `(${program.inputs.join(", ")}) → (${program.outputs.join(", ")})`;
  const widest = Math.max(0, ...program.lines.map((line) => columns(line.text)));
  const lines = program.lines.flatMap((line) => [
    `${space}  ${line.text}${" ".repeat(widest - columns(line.text))}   ${line.type}`.trimEnd(),
    ...line.nested.flatMap((inner) => programText(inner, depth + 2)),
  ]);
  return [`${space}${program.title} ${ends}`, ...lines];
}

/** Letters as they stand on a terminal: marks above letters take no room. */
function columns(text) {
  return [...text].filter((letter) => !/\p{M}/u.test(letter)).length;
}

/** A type, the batch axis in a box: f32[⟨8⟩,3]. */
export function typeText(type) {
  const parts = type.split(/[⟨⟩]/);
  return parts.map((part, i) =>
    i % 2 ? h("b", { class: "derivation-batch", title: "the batch axis" }, part) : part,
  );
}

/** Whether a type says something: scalars need no words. */
export function hasShape(type) {
  return /\[[^\]]*\d/.test(type);
}

/** One equation as a button, with its number and type. */
export function lineButton(line, attributes) {
  const marks = { sum: "Σ" };
  return h(
    "button",
    { type: "button", class: `derivation-line derivation-${line.role}`, ...attributes },
    h(
      "span",
      { class: "derivation-step", title: ROLES[line.role] || null },
      `${marks[line.role] ?? ""}${line.step}`,
    ),
    h("span", { class: "derivation-text" }, breakable(line.text)),
    hasShape(line.type) && h("span", { class: "derivation-type" }, typeText(line.type)),
  );
}

/** A text that may break after an opening bracket as well. */
function breakable(text) {
  const parts = text.split(/(?<=\[)/);
  return parts.flatMap((part, i) => (i ? [h("wbr"), part] : [part]));
}

/** The programs inside of an equation, as lists. */
export function nestedLists(programs) {
  return programs.map((program) =>
    h(
      "div",
      { class: "derivation-nested" },
      h(
        "div",
        { class: "derivation-inner" },
        `${program.title} (${program.inputs.join(", ")}) → (${program.outputs.join(", ")})${program.note ? `, ${program.note}` : ""}`,
      ),
      program.lines.map((line) =>
        h(
          "div",
          { class: "derivation-within" },
          h("span", { class: "derivation-step" }, line.step),
          h("span", { class: "derivation-text" }, line.text),
          hasShape(line.type) && h("span", { class: "derivation-type" }, typeText(line.type)),
          line.nested.length > 0 && h("div", {}, nestedLists(line.nested)),
        ),
      ),
    ),
  );
}

/** Curves from parents to children, in an overlay over `grid`; `find` gives a key's element. */
export function drawLinks(overlay, grid, links, find) {
  const box = grid.getBoundingClientRect();
  overlay.setAttribute("width", grid.scrollWidth);
  overlay.setAttribute("height", grid.scrollHeight);
  const curves = links.flatMap(([from, to]) => {
    const [start, end] = [find(from), find(to)].map((element) => element?.getBoundingClientRect());
    if (!start?.width || !end?.width) return [];
    const [x1, y1] = [start.right - box.left, start.top + start.height / 2 - box.top];
    const [x2, y2] = [end.left - box.left, end.top + end.height / 2 - box.top];
    const bend = Math.max(12, Math.min(60, (x2 - x1) / 2));
    return [
      s("path", { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }),
      s("circle", { cx: x1, cy: y1, r: 2.5 }),
      s("path", { class: "derivation-tip", d: `M${x2} ${y2}l-6 -3.5v7z` }),
    ];
  });
  overlay.replaceChildren(...curves);
}

/** The letter of a group of equations that are computed together: A, B, …, Z, A1, … */
export function groupLetter(i) {
  return `${String.fromCharCode(65 + (i % 26))}${i < 26 ? "" : Math.floor(i / 26)}`;
}

/** What the compiler's passes did: one line each, with its notes to open. */
export function passList(passes) {
  if (!passes?.length) return null;
  return h(
    "ol",
    { class: "derivation-passes" },
    passes.map(({ name, summary, notes }) => {
      const said = [h("b", {}, name), ` ${summary}`];
      const more = notes.map((note) => h("div", { class: "derivation-note" }, note));
      return h("li", {}, notes.length ? h("details", {}, h("summary", {}, said), more) : said);
    }),
  );
}

/** The groups of a program as a list; `point(i)` is called with what the reader points at. */
export function groupList(groups, point) {
  return (groups ?? []).map((group, i) =>
    h(
      "div",
      {
        class: "derivation-group",
        title: group.reason,
        onpointerenter: () => point(i),
        onpointerleave: () => point(null),
      },
      h("b", { class: "derivation-letter" }, groupLetter(i)),
      ` ${group.title}`,
    ),
  );
}

/** Brackets beside the lines of each group: [{elements, letter, lit}]; those that overlap in lanes. */
export function drawBrackets(overlay, grid, groups) {
  const box = grid.getBoundingClientRect();
  overlay.setAttribute("width", grid.scrollWidth);
  overlay.setAttribute("height", grid.scrollHeight);
  const ends = []; // of the last bracket in each lane
  const marks = groups.flatMap(({ elements, letter, lit }) => {
    const rects = elements.map((one) => one.getBoundingClientRect()).filter((rect) => rect.width);
    if (!rects.length) return [];
    const top = Math.min(...rects.map((rect) => rect.top)) - box.top;
    const bottom = Math.max(...rects.map((rect) => rect.bottom)) - box.top;
    const free = ends.findIndex((end) => end <= top);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = bottom;
    const x = Math.max(...rects.map((rect) => rect.right)) - box.left + 4 + 18 * lane;
    const name = lit ? "derivation-bracket derivation-lit" : "derivation-bracket";
    return [
      s("path", { class: name, d: `M${x} ${top + 2}h5V${bottom - 2}h-5` }),
      s(
        "text",
        { class: "derivation-bracket-letter", x: x + 13, y: (top + bottom) / 2 + 4 },
        letter,
      ),
    ];
  });
  grid.style.setProperty("--derivation-lanes", Math.max(1, ends.length));
  overlay.replaceChildren(...marks);
}

/** How an equation follows, or what becomes of it; and with which others it is computed. */
export function toldOf(data, program, line) {
  const { groups } = data.programs[program];
  const fate =
    program === 0 ? data.programs.at(-1).fates?.find((one) => one.origin === line.origin) : null;
  const group = groups?.find((one) => one.steps.includes(line.step));
  const letter = group ? groupLetter(groups.indexOf(group)) : "";
  const ended = !line.rule || /[.?!]$/.test(line.rule);
  const rule = ended ? line.rule : `${line.rule[0].toUpperCase()}${line.rule.slice(1)}.`;
  const fused = group && `${letter}, ${group.title}: ${group.reason}.`;
  return [rule, fate && `Jit: ${fate.text}.`, fused].filter(Boolean).join(" ");
}

/** The keys of the equations that hold a text, in themselves or in where they come from. */
export function matchesOf(data, wanted) {
  const plain = (text) => text.trim().normalize("NFC").toLowerCase();
  if (!plain(wanted)) return [];
  return data.programs.flatMap((program, p) =>
    program.lines.flatMap((line, i) => {
      const origin = data.origins[line.origin];
      const text = `${line.text} ${line.type} ${origin?.id ?? ""} ${origin?.source ?? ""}`;
      return plain(text).includes(plain(wanted)) ? [keyOf(p, i)] : [];
    }),
  );
}

/** What goes in or out of a program, cut to eight names. */
export function endsOf(data, word, program) {
  const first = program === data.programs[0];
  const named = program.inputs.map((name, i) =>
    first && data.arguments[i] ? `${name} = ${data.arguments[i]}` : name,
  );
  const inputs = [...named, ...program.constants.map((name) => `constant ${name}`)];
  const names = word === "in" ? inputs : program.outputs;
  const more = names.length > 8 ? ` … ${names.length - 8} more` : "";
  const text = `${word}: ${names.slice(0, 8).join(", ") || "–"}${more}`;
  return h("div", { class: "derivation-ends", title: names.join(", ") }, text);
}

/** How many equations belong to another, in words. */
export function relatedText(count) {
  return count === 1 ? "1 equation belongs to it" : `${count || "No"} equations belong to it`;
}

/** Copy where the clipboard is closed to scripts, as on pages opened from a file. */
export function copyByHand(text) {
  const area = h("textarea", { style: "position:fixed;opacity:0" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** A type without the marks of the batch axis. */
export function plainType(type) {
  return type.replaceAll(/[⟨⟩]/g, "");
}

/** A number by which equations come in order: program by program, line by line. */
export function orderOf(key) {
  const [program, line] = key.split(".").map(Number);
  return program * 1e6 + line;
}
