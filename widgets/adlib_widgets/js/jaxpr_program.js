// The program behind the graph: who reads what, what holds what, what comes from which line.

/**
 * @typedef {{path: string, kind: string, label: string, operands: string[], params: string[][],
 *   outputs: string[][], note: string, source: string, parent: number, depth: number,
 *   from: number[], flops: number|null, bytes: number|null, rounds: number|null,
 *   counted: boolean, index: number, readers: number[], line: number}} Node
 * @typedef {{path: string, parent: number, depth: number, first: number, last: number,
 *   group: any[]|undefined}} Box something that can be folded: its nodes are first … last-1
 */

/** Index what the kernel sent. */
export function indexed(data) {
  /** @type {Node[]} */
  const nodes = data.nodes.map((node, index) => ({ ...node, index, readers: [], line: -1 }));
  /** @type {Box[]} */
  const boxes = data.containers;
  const byPath = new Map();
  boxes.forEach((box) => byPath.set(box.path, { box }));
  nodes.forEach((node) => byPath.set(node.path, { ...byPath.get(node.path), node }));
  const bySource = new Map();
  for (const node of nodes) {
    for (const maker of new Set(node.from)) if (maker >= 0) nodes[maker].readers.push(node.index);
    if (!node.source) continue;
    if (!bySource.has(node.source)) bySource.set(node.source, []);
    bySource.get(node.source).push(node.index);
  }
  data.lines.forEach(([, , node], i) => {
    if (node >= 0) nodes[node].line = i;
  });

  /** The boxes around a path, outermost first. */
  function around(path) {
    const found = byPath.get(path);
    const chain = [];
    let parent = found ? (found.node ?? found.box).parent : -1;
    for (; parent >= 0; parent = boxes[parent].parent) chain.unshift(boxes[parent]);
    return chain;
  }
  /** What shows a path while only these are open: the path, or the closed box around it. */
  function shownAs(path, open) {
    return around(path).find((box) => !open.has(box.path))?.path ?? path;
  }
  /** The indices of the nodes that a path stands for, not those of programs inside of them. */
  function members(path) {
    const { node, box } = byPath.get(path) ?? {};
    if (node) return [node.index];
    if (!box) return [];
    const found = [];
    for (let i = box.first; i < box.last; i += 1)
      if (nodes[i].depth === box.depth) found.push(i);
    return found;
  }
  /** Nodes outside of a path that make what it reads, and those that read what it makes. */
  function neighbours(path) {
    const inside = new Set(members(path));
    const { node, box } = byPath.get(path) ?? {};
    if (node && box) for (let i = box.first; i < box.last; i += 1) inside.add(i);
    const makers = new Set();
    const readers = new Set();
    for (const i of members(path)) {
      for (const maker of nodes[i].from) if (maker >= 0 && !inside.has(maker)) makers.add(maker);
      for (const reader of nodes[i].readers) if (!inside.has(reader)) readers.add(reader);
    }
    return { makers: [...makers], readers: [...readers] };
  }
  /** Nodes whose name, primitive, types, variables, line or code hold every word of a query. */
  function search(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    return nodes.filter((node) => words.every((word) => haystack(node).includes(word)))
      .map((node) => node.index);
  }
  const texts = [];
  function haystack(node) {
    return (texts[node.index] ??= [
      node.path, node.label, node.note, node.source, node.operands.join(" "),
      node.outputs.map((one) => one.join(":")).join(" "),
      node.params.map((one) => one.join("=")).join(" "),
      codeOf(node.source),
    ].join(" ").toLowerCase());
  }
  /** The text of the user's line. */
  function codeOf(source) {
    const at = source.lastIndexOf(":");
    const line = Number(source.slice(at + 1));
    const name = source.slice(0, at);
    for (const block of data.sources)
      if (block.name === name && line >= block.first && line < block.first + block.lines.length)
        return block.lines[line - block.first].trim();
    return "";
  }
  /** The printed line of a node, or what an input or output is. */
  function textOf(node) {
    if (node.line >= 0) return data.lines[node.line][1];
    const named = node.outputs.map((one) => one.join(":")).join(" ");
    if (node.kind === "output") return `output ${node.label}:${node.note}`;
    return `${node.kind} ${named}${node.note ? ` (${node.note})` : ""}`;
  }
  /** A path in short: a part by its label, a node by its name, as seen from `beside` it. */
  function nameOf(path, beside = "") {
    const { node, box } = byPath.get(path) ?? {};
    if (!node) return box?.group?.[1] ?? path;
    if (node.kind === "input" && node.note && node.depth === 0) return `input ${node.note}`;
    const own = path.slice(0, path.lastIndexOf("/") + 1);
    return beside.slice(0, beside.lastIndexOf("/") + 1) === own ? path.slice(own.length) : path;
  }
  /**
   * What a path costs: {value, partial}; null where it is not known. A part costs what its
   * equations cost together; its magnitude is the largest of theirs.
   */
  function cost(path, kind, measures) {
    let value = null;
    let partial = false;
    for (const i of members(path)) {
      const one = ["flops", "bytes"].includes(kind) ? nodes[i][kind] : measures[kind]?.[i] ?? null;
      if (one === null) continue;
      if (kind === "flops" && !nodes[i].counted) partial = true;
      const x = Number(one);
      value = value === null ? x : kind === "magnitude" ? Math.max(value, x) : value + x;
    }
    return value === null ? null : { value, partial };
  }
  return {
    data, nodes, boxes, byPath, bySource,
    around, shownAs, members, neighbours, search, codeOf, textOf, nameOf, cost,
  };
}
