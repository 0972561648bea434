// Beside the graph: the program's lines, the user's code, and all about the selected node.

import { h } from "./common.js";
import { costText } from "./jaxpr_costs.js";

/** Scroll `line` into the middle of its pane, and nothing else on the page. */
function bringInto(pane, line) {
  const [top, bottom] = [line.offsetTop, line.offsetTop + line.offsetHeight];
  if (top < pane.scrollTop || bottom > pane.scrollTop + pane.clientHeight)
    pane.scrollTop = top - (pane.clientHeight - line.offsetHeight) / 2;
}

function pane(title, ...content) {
  return h("section", { class: "adlib-j-pane", "aria-label": title },
    h("h4", { class: "adlib-j-head" }, title), ...content);
}

/**
 * The program, a line for each equation.
 * @param {any} program
 * @param {{onselect: Function, onhover: Function}} handlers get the index of a node, or -1
 */
export function makeText(program, { onselect, onhover }) {
  const rows = program.data.lines.map(([indent, text, node], i) => {
    const known = node >= 0;
    return h("div",
      {
        class: "adlib-j-row", "data-line": i, role: known ? "option" : "presentation",
        style: `padding-left:${6 + Math.min(indent, 12) * 14}px`, title: text,
      },
      known ? equationParts(text) : text);
  });
  const list = h("div",
    { class: "adlib-j-rows", role: "listbox", tabindex: 0, "aria-label": "Equations" }, rows);
  const nodeAt = (event) => {
    const row = event.target.closest?.("[data-line]");
    return row ? program.data.lines[Number(row.dataset.line)][2] : -1;
  };
  list.addEventListener("click", (event) => onselect(nodeAt(event)));
  list.addEventListener("pointerover", (event) => onhover(nodeAt(event)));
  list.addEventListener("pointerleave", () => onhover(-1));
  let current = -1; // the line that the arrow keys start from
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    for (let i = current + step; i >= 0 && i < rows.length; i += step)
      if (program.data.lines[i][2] >= 0) return onselect(program.data.lines[i][2]);
  });
  let marked = [];
  return {
    element: pane("Equations", list),
    /** Mark lines: a Map from node to the names of what it is. */
    mark(looks, focus) {
      for (const row of marked) {
        row.className = "adlib-j-row";
        row.removeAttribute("aria-selected");
      }
      marked = [];
      for (const [index, names] of looks) {
        const row = rows[program.nodes[index].line];
        if (!row) continue;
        row.className = `adlib-j-row ${names.map((name) => `adlib-j-${name}`).join(" ")}`;
        if (names.includes("selected")) row.setAttribute("aria-selected", "true");
        marked.push(row);
      }
      if (focus >= 0 && rows[program.nodes[focus].line]) {
        current = program.nodes[focus].line;
        bringInto(list, rows[current]);
      }
    },
  };
}

function equationParts(text) {
  const cut = text.indexOf(" = ");
  const rest = text.slice(cut + 3);
  const name = /^[^[ ]*/.exec(rest)[0];
  return [
    h("span", { class: "adlib-j-value" }, text.slice(0, cut)), " = ",
    h("b", {}, name), rest.slice(name.length),
  ];
}

/** The user's code; lines that equations come from can be chosen. */
export function makeSource(program, { onselect, onhover }) {
  const rows = new Map();
  const list = h("div", { class: "adlib-j-rows" });
  for (const block of program.data.sources) {
    list.append(h("div", { class: "adlib-j-file" }, block.name));
    block.lines.forEach((text, i) => {
      const source = `${block.name}:${block.first + i}`;
      const used = program.bySource.has(source);
      const count = program.bySource.get(source)?.length ?? 0;
      const row = h(used ? "button" : "div",
        {
          class: "adlib-j-row adlib-j-code", "data-source": source,
          type: used ? "button" : null,
          title: used ? `${count} ${count === 1 ? "equation" : "equations"} from ${source}` : null,
        },
        h("span", { class: "adlib-j-number" }, block.first + i), text || " ");
      rows.set(source, row);
      list.append(row);
    });
  }
  if (!program.data.sources.length)
    list.append(h("div", { class: "adlib-j-none" }, "The code behind this program is not known."));
  const sourceAt = (event) => {
    const row = event.target.closest?.("[data-source]");
    return row && program.bySource.has(row.dataset.source) ? row.dataset.source : "";
  };
  list.addEventListener("click", (event) => sourceAt(event) && onselect(sourceAt(event)));
  list.addEventListener("pointerover", (event) => onhover(sourceAt(event)));
  list.addEventListener("pointerleave", () => onhover(""));
  let marked = [];
  return {
    element: pane("Your code", list),
    /** Mark lines: a Map from source to the names of what it is. */
    mark(looks, focus) {
      for (const row of marked)
        for (const name of ["selected", "hover", "hit"]) row.classList.remove(`adlib-j-${name}`);
      marked = [];
      for (const [source, names] of looks) {
        const row = rows.get(source);
        if (!row) continue;
        row.classList.add(...names.map((name) => `adlib-j-${name}`));
        marked.push(row);
      }
      if (focus && rows.get(focus)) bringInto(list, rows.get(focus));
    },
  };
}

/** All about what is selected. */
export function makeDetails(program, { onselect, onopen }) {
  const body = h("div", { class: "adlib-j-about" });

  let current = ""; // the path that is shown

  function link(index) {
    const { path } = program.nodes[index];
    return h("button",
      { type: "button", class: "adlib-j-jump", title: path, onclick: () => onselect(index) },
      program.nameOf(path, current));
  }
  function row(name, ...content) {
    return [h("dt", {}, name), h("dd", {}, ...content)];
  }
  function joined(items) {
    return items.flatMap((item, i) => (i ? [", ", item] : [item]));
  }
  function readersOf(indices) {
    const shown = indices.slice(0, 8).map((index) => link(index));
    const more = indices.length - shown.length;
    return indices.length ? [...joined(shown), more > 0 ? ` and ${more} more` : ""] : ["nothing"];
  }

  function nodeRows(node, measures) {
    const rows = [];
    if (node.operands.length && node.kind === "equation")
      rows.push(row("reads", joined(node.operands.map((name, i) =>
        node.from[i] >= 0 ? [name, " from ", link(node.from[i])] : [name]))));
    else if (node.from.some((index) => index >= 0))
      rows.push(row("is", joined(node.from.filter((index) => index >= 0).map((i) => link(i)))));
    if (node.outputs.length) {
      const made = node.outputs.map(([name, type]) => h("span", { class: "adlib-j-value" },
        `${name}:${type}`));
      rows.push(row(node.kind === "equation" ? "makes" : "is", joined(made)));
    }
    if (node.kind !== "output") rows.push(row("read by", readersOf(node.readers)));
    if (node.params.length)
      rows.push(row("with", node.params.map((pair) => pair.join("=")).join("  ")));
    if (node.source)
      rows.push(row("your line", `${node.source}  `,
        h("code", {}, program.codeOf(node.source))));
    const values = measures.values?.[node.index];
    if (values) rows.push(row("value", values.join(";  ")));
    return rows;
  }

  function groupRows(box) {
    const [kind, , source, text, count] = box.group;
    const what = ["inputs", "constants", "outputs"].includes(kind) ? kind : "equations";
    const { makers, readers } = program.neighbours(box.path);
    const rows = [row("holds", `${count.toLocaleString("en")} ${what}`)];
    if (source) rows.push(row("your lines", `${source}  `, h("code", {}, text)));
    rows.push(row("reads from", readersOf(makers)), row("read by", readersOf(readers)));
    return rows;
  }

  return {
    element: h("section", { class: "adlib-j-details", "aria-label": "Selection" }, body),
    show(path, measures, hidden) {
      current = path;
      const { node, box } = program.byPath.get(path) ?? {};
      if (!node && !box) {
        body.replaceChildren(h("p", { class: "adlib-j-none" },
          `${program.data.about} Choose a box, an equation or a line of your code to see what `,
          "it makes, from what, and what reads it. ? lists the keys."));
        return;
      }
      const title = node ? program.textOf(node) : box.group[1];
      const costs = costText(program, path, measures);
      const rows = node ? nodeRows(node, measures) : groupRows(box);
      if (costs) rows.push(row("costs", costs));
      body.replaceChildren(
        h("div", { class: "adlib-j-title" },
          h("span", { class: "adlib-j-name" }, program.nameOf(path)),
          h("code", {}, title === program.nameOf(path) ? "" : title),
          hidden ? h("button", { type: "button", class: "adlib-button",
            onclick: () => onopen(path) }, "Unfold to it") : null),
        h("dl", {}, rows));
    },
  };
}
