// The graph of a jaxpr beside its equations and the user's code, linked by hover and selection.

import {
  amount, ask, button, choice, download, frame, h, hasKernel, listen, put, savePng, saveSvg,
  toggle,
} from "./common.js";
import { costScale, costText, legendParts, shareOn } from "./jaxpr_costs.js";
import { makeGraph } from "./jaxpr_graph.js";
import { makeDetails, makeSource, makeText } from "./jaxpr_panes.js";
import { indexed } from "./jaxpr_program.js";
import { NOWHERE, neighbour } from "./jaxpr_walk.js";

const COLORS = [
  ["none", "nothing"], ["flops", "flops"], ["bytes", "bytes"], ["seconds", "seconds"],
  ["magnitude", "magnitude"],
];
const HELP =
  "Keys in the graph: ↑ ↓ to what makes and what reads the selected value, ← → beside it, Enter " +
  "folds and unfolds, I goes into an open box and O out of it, / searches, N and P go through the " +
  "hits, + − 0 zoom, Shift with arrows moves the view, Escape deselects. Drag to move, Ctrl with " +
  "the wheel zooms, a double click unfolds.";

function render({ model, el }) {
  const view = frame(el, model.get("title"), "jaxpr");
  let program = indexed(model.get("data"));
  let open = new Set(model.get("drawing").open);
  let hovered = []; // nodes under the pointer, wherever it is
  let hits = [];
  let hit = -1;
  let anchor = ""; // the tile that stays where it is in the next drawing
  let scaleOf = null; // of the colours
  let looks = new Map(); // nodes and what they are: selected, maker, reader, hover, hit
  let tileLooks = new Map(); // the same by the paths that show them
  let panes = null;

  const graph = makeGraph({
    look: tileLook,
    linkLook,
    tip,
    onselect: (path) => select(path),
    onhover: (path) => hover(path ? program.members(path) : []),
    ontoggle: fold,
  });
  const place = h("div", { class: "adlib-j-stage" });
  const legend = h("div", { class: "adlib-j-legend", hidden: true });
  const help = h("p", { class: "adlib-j-help", hidden: true }, HELP);
  view.stage.append(place, help);

  // --- selection ----------------------------------------------------------------------------

  const selected = () => model.get("selected");
  const shownAs = (path) => program.shownAs(path, open);

  function select(path, { reveal = false, quiet = false } = {}) {
    if (path !== selected()) put(model, "selected", path);
    mark();
    if (reveal && path) graph.reveal(shownAs(path));
    if (!quiet) view.say(path ? sentence(path) : program.data.about);
  }

  function sentence(path) {
    const { node } = program.byPath.get(path);
    const { makers, readers } = program.neighbours(path);
    const names = (indices) => indices.slice(0, 3)
      .map((index) => program.nameOf(program.nodes[index].path, path)).join(", ") +
      (indices.length > 3 ? ` and ${indices.length - 3} more` : "");
    const parts = [`${program.nameOf(path)}${node ? `: ${program.textOf(node)}` : ""}.`];
    if (makers.length) parts.push(`Reads from ${names(makers)}.`);
    parts.push(readers.length ? `Read by ${names(readers)}.` : "Nothing reads it.");
    if (node?.source) parts.push(`Your line ${node.source}.`);
    if (shownAs(path) !== path) parts.push(`It is in ${program.nameOf(shownAs(path))}, folded.`);
    return parts.join(" ");
  }

  function hover(nodes) {
    if (nodes.length === hovered.length && nodes.every((node, i) => node === hovered[i])) return;
    hovered = nodes;
    mark({ follow: false });
  }

  /** Mark everything anew: what is selected, its makers and readers, hits, what is hovered. */
  function mark({ follow = true } = {}) {
    const path = selected();
    looks = new Map();
    const add = (index, name) => {
      if (!looks.has(index)) looks.set(index, []);
      if (!looks.get(index).includes(name)) looks.get(index).push(name);
    };
    for (const index of hits) add(index, "hit");
    if (path) {
      const { makers, readers } = program.neighbours(path);
      for (const index of makers) add(index, "maker");
      for (const index of readers) add(index, "reader");
      for (const index of program.members(path)) add(index, "selected");
    }
    for (const index of hovered) add(index, "hover");
    tileLooks = new Map();
    for (const [index, names] of looks) {
      const shown = shownAs(program.nodes[index].path);
      const mine = tileLooks.get(shown) ?? new Set();
      names.forEach((name) => mine.add(name));
      tileLooks.set(shown, mine);
    }
    if (path) {
      const mine = shownAs(path);
      tileLooks.set(mine, new Set([...(tileLooks.get(mine) ?? []), "selected"]));
    }
    graph.refresh();
    const sources = new Map();
    for (const [index, names] of looks) {
      const source = program.nodes[index].source;
      const kept = names.filter((name) => ["selected", "hover", "hit"].includes(name));
      if (source && kept.length) sources.set(source, [...(sources.get(source) ?? []), ...kept]);
    }
    const first = path ? program.members(path)[0] ?? -1 : -1;
    const focus = follow ? first : -1;
    panes.text.mark(looks, focus);
    panes.source.mark(sources, focus >= 0 ? program.nodes[focus].source : "");
    if (follow)
      panes.details.show(path, model.get("measures"), Boolean(path) && shownAs(path) !== path);
  }

  // --- how things look ----------------------------------------------------------------------

  const isDark = () => view.root.dataset.theme === "dark";

  function tileLook(path, isOpen) {
    const names = [...(tileLooks.get(path) ?? [])].map((name) => `adlib-j-${name}`).join(" ");
    const share = isOpen ? null : shareOn(scaleOf, program, path, model.get("measures"));
    if (share === null) return { class: names, fill: "", hot: false };
    return { class: names, fill: amount(share, isDark()), hot: isDark() && share > 0.45 };
  }

  function linkLook(source, target) {
    const mine = selected() && shownAs(selected());
    if (!mine || (source !== mine && target !== mine)) return "";
    return target === mine ? "adlib-j-maker" : "adlib-j-reader";
  }

  function tip(path) {
    const { node } = program.byPath.get(path);
    const costs = costText(program, path, model.get("measures"));
    const code = node?.source ? `${node.source}  ${program.codeOf(node.source)}` : "";
    return [node ? program.textOf(node) : program.nameOf(path), code, costs].filter(Boolean)
      .join("\n");
  }

  function recolor() {
    const kind = model.get("color");
    const measures = model.get("measures");
    colors.querySelector("select").value = kind;
    scaleOf = kind === "none" ? null : costScale(program, kind, measures);
    legend.hidden = !scaleOf;
    if (scaleOf) legend.replaceChildren(...legendParts(scaleOf, measures, isDark()));
    mark();
  }

  // --- folding ------------------------------------------------------------------------------

  async function setOpen(paths, { labels = model.get("labels"), at = "" } = {}) {
    const wanted = [...new Set(paths)].sort();
    const same = (one) => one.labels === labels && one.open.length === wanted.length &&
      one.open.every((path, i) => path === wanted[i]);
    anchor = at;
    const ready = model.get("data").drawings.find(same);
    if (ready) {
      model.set("drawing", ready);
      model.set("labels", labels);
      model.set("unfolded", wanted);
      model.save_changes();
      return true;
    }
    if (!hasKernel(model)) {
      view.say("This page has no kernel to draw that; run the notebook, or fold or unfold all.");
      return false;
    }
    try {
      await ask(model, "open", { paths: wanted, labels });
      return true;
    } catch (error) {
      view.say(error.message);
      return false;
    }
  }

  async function fold(path) {
    const opened = open.has(path);
    const inside = (one) => program.around(one).some((box) => box.path === path);
    const wanted = opened ? [...open].filter((one) => one !== path && !inside(one)) : [...open, path];
    const done = await setOpen(wanted, { at: path });
    if (done) view.say(`${program.nameOf(path)} is ${opened ? "folded" : "unfolded"}.`);
  }

  async function unfoldTo(path) {
    const boxes = program.around(path).map((box) => box.path);
    const at = shownAs(path);
    if (await setOpen([...open, ...boxes], { at })) select(path, { reveal: true });
  }

  async function all(unfold) {
    const count = program.boxes.length;
    if (!count) return view.say("There is nothing to fold in this program.");
    const paths = unfold ? program.boxes.map((box) => box.path) : [];
    const done = await setOpen(paths);
    if (done) graph.start();
    const text = unfold ? "unfolded" : "folded";
    if (done) view.say(`${count === 1 ? "The only foldable box is" : `All ${count} boxes are`} ${text}.`);
  }

  function fit() {
    if (!graph.fit()) view.say("This is too long to be read whole; the small map leads through it.");
  }

  function redraw() {
    const drawing = model.get("drawing");
    const before = open;
    open = new Set(drawing.open);
    // what the kernel opened or closed, where it can be seen already
    const changed = [...before].filter((path) => !open.has(path))
      .concat([...open].filter((path) => !before.has(path)));
    const seen = anchor ? "" : changed.find((path) => graph.tile(path)) ?? "";
    types.setAttribute("aria-pressed", String(drawing.labels));
    mark({ follow: false });
    graph.draw(drawing, anchor || seen || (selected() && shownAs(selected())));
    if (seen) graph.reveal(seen);
    anchor = "";
    mark();
  }

  // --- search -------------------------------------------------------------------------------

  function showHits(found, text) {
    hits = found;
    hit = -1;
    counter.textContent = text;
    mark({ follow: false });
  }

  function searchFor(query) {
    const found = program.search(query);
    showHits(found, query.trim() ? (found.length ? `${found.length} found` : "none found") : "");
  }

  function go(step) {
    if (!hits.length) return view.say("Nothing is found yet: / searches.");
    hit = hit < 0 ? (step > 0 ? 0 : hits.length - 1) : (hit + step + hits.length) % hits.length;
    counter.textContent = `${hit + 1} of ${hits.length}`;
    select(program.nodes[hits[hit]].path, { reveal: true });
  }

  function chooseLine(source) {
    const found = program.bySource.get(source);
    field.value = "";
    showHits(found, "");
    select(program.nodes[found[0]].path, { reveal: true, quiet: true });
    hit = 0;
    counter.textContent = `1 of ${found.length}`;
    const count = `${found.length} ${found.length === 1 ? "equation" : "equations"}`;
    view.say(`${count} from ${source}: ${program.codeOf(source)}. N and P go through them.`);
  }

  // --- keyboard -----------------------------------------------------------------------------

  function walk(direction) {
    const next = selected()
      ? neighbour(graph, shownAs(selected()), direction) : graph.tile(program.nodes[0]?.path);
    if (next) select(next.json.p, { reveal: true });
    else view.say(NOWHERE[direction]);
  }

  const keys = {
    ArrowUp: () => walk("up"), ArrowDown: () => walk("down"), ArrowLeft: () => walk("left"),
    ArrowRight: () => walk("right"), i: () => walk("in"), o: () => walk("out"),
    Enter: () => {
      const tile = graph.tile(shownAs(selected()));
      if (tile?.json.f) fold(tile.json.p);
      else view.say("This holds nothing to unfold.");
    },
    Escape: () => select(""),
  };
  function onkey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const inField = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
    if (inField) return;
    const anywhere = { "/": () => field.focus(), n: () => go(1), p: () => go(-1),
      "?": () => helpButton.click() };
    const inGraph = graph.svg.contains(event.target);
    if (inGraph && event.shiftKey && event.key.startsWith("Arrow")) graph.view.key(event);
    else if (inGraph && event.key === "0") fit();
    else if (inGraph && event.key in keys) keys[event.key]();
    else if (event.key in anywhere) anywhere[event.key]();
    else if (!inGraph || !graph.view.key(event)) return;
    event.preventDefault();
    event.stopPropagation(); // a notebook has keys of its own
  }
  view.root.addEventListener("keydown", onkey);

  // --- toolbar ------------------------------------------------------------------------------

  const types = toggle("Types", model.get("labels"),
    (on) => setOpen(open, { labels: on, at: selected() && shownAs(selected()) }),
    { tip: "Say at every link what it carries" });
  const colors = choice("Colour by", COLORS, model.get("color"), async (kind) => {
    if (["seconds", "magnitude"].includes(kind) && !model.get("measures").seconds) {
      view.say("Running the program once, equation by equation …");
      try {
        await ask(model, "measure", {}, { seconds: 120 });
      } catch (error) {
        colors.querySelector("select").value = model.get("color");
        return view.say(error.message);
      }
    }
    put(model, "color", kind);
    view.say(kind === "none" ? "No colours." : `Coloured by ${kind}, from pale to strong.`);
  });
  const field = h("input", {
    type: "search", placeholder: "Search", "aria-label": "Search the program", size: 12,
    title: "Name, primitive, shape, line or code (/)",
    oninput: () => searchFor(field.value),
    onkeydown: (event) => {
      if (event.key === "Enter") go(event.shiftKey ? -1 : 1);
      else if (event.key === "Escape") {
        field.value = "";
        searchFor("");
        graph.svg.focus();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    },
  });
  const counter = h("span", { class: "adlib-readout adlib-j-counter" });
  const save = choice("Save", [["", "…"], ["svg", "SVG"], ["png", "PNG"], ["dot", "DOT"]], "",
    async (kind) => {
      save.querySelector("select").value = "";
      try {
        if (kind === "svg") await graph.whole((svg, w, t) => saveSvg(svg, w, t, "jaxpr"));
        if (kind === "png") await graph.whole((svg, w, t) => savePng(svg, w, t, "jaxpr"));
        if (kind === "dot") {
          const text = program.data.dot || (await ask(model, "dot"));
          download("jaxpr.dot", new Blob([text], { type: "text/vnd.graphviz" }));
        }
        view.say(`Saved as jaxpr.${kind}.`);
      } catch (error) {
        view.say(error.message);
      }
    });
  const helpButton = toggle("?", false, (on) => (help.hidden = !on), { tip: "Keys (?)", name: "Keys" });
  view.toolbar.append(
    button("Fold all", () => all(false)), button("Unfold all", () => all(true)),
    button("Fit", fit, { tip: "All of it (0)" }),
    button("−", () => graph.view.zoom(0.8), { tip: "Smaller (−)", name: "Zoom out" }),
    button("+", () => graph.view.zoom(1.25), { tip: "Larger (+)", name: "Zoom in" }),
    types, colors,
    h("span", { class: "adlib-j-search" }, field,
      button("‹", () => go(-1), { tip: "Hit before (P)", name: "Previous hit" }),
      button("›", () => go(1), { tip: "Next hit (N)", name: "Next hit" }), counter),
    save, helpButton);

  // --- putting it together --------------------------------------------------------------------

  function build() {
    panes = {
      text: makeText(program, {
        onselect: (index) => index >= 0 && select(program.nodes[index].path, { reveal: true }),
        onhover: (index) => hover(index >= 0 ? [index] : []),
      }),
      source: makeSource(program, {
        onselect: chooseLine,
        onhover: (source) => hover(program.bySource.get(source) ?? []),
      }),
      details: makeDetails(program, {
        onselect: (index) => select(program.nodes[index].path, { reveal: true }),
        onopen: unfoldTo,
      }),
    };
    graph.svg.setAttribute("aria-label", `${program.data.about} Arrow keys walk along it.`);
    place.replaceChildren(graph.element, panes.text.element, panes.source.element,
      panes.details.element);
    graph.element.append(legend);
  }

  function rebuild() {
    program = indexed(model.get("data"));
    open = new Set(model.get("drawing").open);
    hits = [];
    hovered = [];
    searchedAgain();
    build();
    redraw();
    recolor();
  }
  function searchedAgain() {
    hits = field.value ? program.search(field.value) : [];
    hit = -1;
  }

  build();
  const theme = new MutationObserver(() => recolor());
  theme.observe(view.root, { attributes: true, attributeFilter: ["data-theme"] });
  // traits come in any order: what belongs to a new program is drawn with it
  const current = (draw) => () => (program.data === model.get("data") ? draw() : rebuild());
  const stops = [
    listen(model, ["data"], rebuild),
    listen(model, ["drawing"], current(redraw)),
    listen(model, ["selected"], current(() => mark())),
    listen(model, ["color", "measures"], current(recolor)),
  ];
  recolor();
  graph.draw(model.get("drawing"));
  view.say("Arrow keys walk along the graph, Enter unfolds; ? lists all keys.");
  return () => {
    stops.forEach((stop) => stop());
    theme.disconnect();
    graph.dispose();
    view.dispose();
  };
}

export default { render };
