// The bars that compare what columns and rows cost, one-hot and compressed, and the legend.

import { h } from "./common.js";
import { cellText, shade } from "./jacobian_matrix.js";
import { costText, passCounts, passesDone, verdict } from "./jacobian_words.js";

/** Bars, the verdict in words, and what the colours mean. */
export function costPanel(block, data, mode, step, dark) {
  const { costs, restricted } = data;
  const known = costs.function > 0;
  const ways = block.groups[0] < block.shape[1] || block.groups[1] < block.shape[0];
  const rows = (ways ? ["dense", "compressed"] : ["dense"]).flatMap((way) => {
    const counts = passCounts(block, way, restricted);
    return ["forward", "reverse"]
      .filter((side) => counts[side] !== null)
      .map((side) => {
        const one = known ? (side === "forward" ? costs.jvp : costs.vjp) / costs.function : 1;
        const current = way === mode || !ways;
        const done = current ? passesDone(block, side, mode, step, counts[side]) : 0;
        return { way, side, one, count: counts[side], done, current };
      });
  });
  const most = Math.max(1e-9, ...rows.map((row) => row.count * row.one));
  return [
    h(
      "div",
      { class: "jac-bars", role: "list", "aria-label": "Costs" },
      rows.map((row) => costRow(row, most, known)),
    ),
    h("p", { class: "jac-verdict" }, verdict(block, costs, restricted)),
    legend(block, costs, dark),
  ];
}

function costRow({ way, side, one, count, done, current }, most, known) {
  const share = (k) => `${((100 * k * one) / most).toFixed(2)}%`;
  const name = `${side === "forward" ? "columns" : "rows"}, ${way === "dense" ? "one-hot" : way}`;
  const track = [sized("jac-all", share(count)), sized("jac-done", share(done))];
  return h(
    "div",
    {
      class: `jac-bar jac-${side}${current ? " jac-current" : ""}`,
      role: "listitem",
    },
    h("span", {}, name),
    h("span", { class: "jac-track" }, track),
    h("span", { class: "jac-mono" }, costText(side, count, one, known)),
  );
}

function sized(name, width) {
  const bar = h("span", { class: name });
  bar.style.width = width;
  return bar;
}

function legend(block, costs, dark) {
  const samples = Array.from({ length: 21 }, (_, k) => {
    const share = (k - 10) / 10;
    const piece = h("span", {});
    piece.style.background = shade(share * Math.abs(share), 1, dark);
    return piece;
  });
  const most = cellText(block.most);
  const [drawn, truth] = [block.picture.join("×"), block.shape.join("×")];
  return h(
    "div",
    { class: "jac-legend jac-muted" },
    h("span", { class: "jac-mono" }, block.most ? `−${most}` : "0"),
    h("span", { class: "jac-scale", "aria-hidden": "true" }, samples),
    h("span", { class: "jac-mono" }, most),
    h("span", {}, "blue below zero, red above (root scale)"),
    h("span", {}, h("span", { class: "jac-blank" }), "not written yet"),
    block.whole ? null : h("span", {}, `drawn ${drawn}, in truth ${truth}`),
    costs.complete ? null : h("span", {}, "not all operations could be counted"),
  );
}
