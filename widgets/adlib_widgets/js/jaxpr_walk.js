// Walking along the graph with the arrow keys.

/** What to say where there is nothing in a direction. */
export const NOWHERE = {
  up: "Nothing makes this.",
  down: "Nothing reads this.",
  left: "Nothing is left of this.",
  right: "Nothing is right of this.",
  in: "This is not open.",
  out: "This is in no box.",
};

/** The tile to go to from that of `path`; the directions are those of the picture. */
export function neighbour(graph, path, direction) {
  const tile = graph.tile(path);
  if (!tile) return null;
  if (direction === "in") return tile.inner[0]?.tiles[0] ?? null;
  if (direction === "out") return tile.level.owner;
  if (direction === "up" || direction === "down") return linked(tile, direction);
  const beside = tile.level.tiles
    .filter((one) => one.y < tile.y + tile.h && one.y + one.h > tile.y)
    .sort((a, b) => a.x - b.x);
  return beside[beside.indexOf(tile) + (direction === "left" ? -1 : 1)] ?? null;
}

/** The nearest tile that makes or reads the tile's values; the box around it where there is none. */
function linked(tile, direction) {
  const [near, far] = direction === "up" ? ["target", "source"] : ["source", "target"];
  const middle = (one) => one.x + one.w / 2;
  const distance = (one) => Math.abs(middle(one) - middle(tile));
  const others = tile.level.links.filter((link) => link[near] === tile).map((link) => link[far]);
  return others.sort((a, b) => distance(a) - distance(b))[0] ?? tile.level.owner;
}
