"""Third step: the x of every item.

Items that follow each other are first put straight below one another in blocks, in four
ways whose median is taken (Brandes & Köpf 2002); where a link leaves and arrives counts, not
the middles of the boxes. Then whole straight runs, and single items, slide to where their
links run less far sideways.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right

from adlib_widgets.layout.model import Layered

_ROUNDS, _FEW_ROUNDS = 10, 3
_MANY = 10_000  # items: beyond, half the drafts and few rounds have to do
_DUMMY_GAP = 10.0
_STRAIGHT = 1e-6
_WEIGHTS = (1, 2, 8)  # by the dummies at its ends: long links should be straight more than short


def place(layered: Layered, gap: float) -> None:
    """Write into every item the x of its left edge; items of a layer keep their gap."""
    if not layered.layers:
        return
    barred = _crossing_inner_pieces(layered)
    neighbours = [
        (left, right, layered.items[left].width + least_gap(layered, left, right, gap))
        for layer in layered.layers
        for left, right in itertools.pairwise(layer)
    ]
    drafts = []
    many = len(layered.items) > _MANY
    for from_above in (True,) if many else (True, False):
        middles = _middle_neighbours(layered, barred, from_above)
        for from_left in (True, False):
            root, shift = _blocks(layered, middles, from_above, from_left)
            drafts.append(_packed(root, shift, neighbours, from_left))
    _align_drafts(layered, drafts)
    for number, item in enumerate(layered.items):
        places = sorted(draft[number] for draft in drafts)
        item.x = (places[(len(places) - 1) // 2] + places[len(places) // 2]) / 2
    _slide(layered, gap, _FEW_ROUNDS if many else _ROUNDS)


def least_gap(layered: Layered, left: int, right: int, gap: float) -> float:
    """The least free space between two neighbours: links may run closer than boxes."""
    dummies = layered.items[left].dummy + layered.items[right].dummy
    return (gap, (gap + _DUMMY_GAP) / 2, _DUMMY_GAP)[dummies]


# --- four drafts ------------------------------------------------------------------------


# where a link ends in the neighbouring layer, at which item, and how far left of that
# item's edge the near item's edge has to stand for the link to be straight
_Middle = tuple[float, int, float]


def _middle_neighbours(layered: Layered, barred: set[int], from_above: bool) -> list[list[_Middle]]:
    """The middle link of every item, or its two middle ones, toward the layer above or below."""
    at = [item.position for item in layered.items]
    middles: list[list[_Middle]] = []
    for segments in layered.above if from_above else layered.below:
        ends = []
        for s in segments:
            if id(s) in barred and len(segments) == 1:
                continue
            if from_above:
                spot, other = at[s.source] + 0.999 * s.source_share, s.source
                move = s.source_offset - s.target_offset
            else:
                spot, other = at[s.target] + 0.999 * s.target_share, s.target
                move = s.target_offset - s.source_offset
            ends.append((spot, other, move))
        if len(ends) > 1:
            marked = sorted((*e, id(s) in barred) for e, s in zip(ends, segments, strict=True))
            marked = marked[(len(ends) - 1) // 2 : len(ends) // 2 + 1]
            ends = [(spot, other, move) for spot, other, move, bar in marked if not bar]
        middles.append(ends)
    return middles


def _blocks(
    layered: Layered, middles: list[list[_Middle]], from_above: bool, from_left: bool
) -> tuple[list[int], list[float]]:
    """Each item's block, named by its root, and its offset from the root's left edge.

    An item joins the block of its middle neighbour in the layer before it if no link that
    is already straight would be crossed.
    """
    root = list(range(len(layered.items)))
    shift = [0.0] * len(root)
    layers = layered.layers if from_above else layered.layers[::-1]
    for layer in layers[1:]:
        last = -1.0 if from_left else float("inf")
        taken: set[int] = set()
        for number in layer if from_left else reversed(layer):
            choices = middles[number]
            for spot, other, move in choices if from_left else reversed(choices):
                free = spot > last if from_left else spot < last
                if free and other not in taken:
                    root[number], shift[number] = root[other], shift[other] + move
                    last = spot
                    taken.add(other)
                    break
    return root, shift


def _crossing_inner_pieces(layered: Layered) -> set[int]:
    """Segments that cross an inner piece of a long link: they never lie in a block."""
    items, barred = layered.items, set()
    for layer in layered.layers:
        segments = [segment for item in layer for segment in layered.below[item]]
        ends = [(items[s.source].position, items[s.target].position) for s in segments]
        inner = sorted(
            end
            for s, end in zip(segments, ends, strict=True)
            if items[s.source].dummy and items[s.target].dummy
        )
        tops = [top for top, _ in inner]
        bottoms = [bottom for _, bottom in inner]
        furthest_right = list(itertools.accumulate(bottoms, max))
        furthest_left = list(itertools.accumulate(reversed(bottoms), min))[::-1]
        for segment, (top, bottom) in zip(segments, ends, strict=True):
            left_of, not_right_of = bisect_left(tops, top), bisect_right(tops, top)
            if left_of and furthest_right[left_of - 1] > bottom:
                barred.add(id(segment))
            elif not_right_of < len(inner) and furthest_left[not_right_of] < bottom:
                barred.add(id(segment))
    return barred


def _packed(
    root: list[int],
    shift: list[float],
    neighbours: list[tuple[int, int, float]],
    from_left: bool,
) -> list[float]:
    """The x of every item: blocks as far left as they go, then as far right as their followers
    let them; or the mirror image."""
    # of each block: its neighbours to the right, and how far from its edge theirs have to be
    after: dict[int, dict[int, float]] = {block: {} for block in root}
    for left, right, apart in neighbours:
        distances, follower = after[root[left]], root[right]
        least = apart + shift[left] - shift[right]
        if least > distances.get(follower, -math.inf):
            distances[follower] = least
    before: dict[int, dict[int, float]] = {block: {} for block in after}
    for block, followers in after.items():
        for follower, least in followers.items():
            before[follower][block] = least
    waiting = {block: len(leaders) for block, leaders in before.items()}
    sequence = [block for block, count in waiting.items() if not count]
    for block in sequence:  # grows while we walk it
        for follower in after[block]:
            waiting[follower] -= 1
            if not waiting[follower]:
                sequence.append(follower)
    at: dict[int, float] = {}
    if from_left:
        for block in sequence:
            at[block] = max((at[o] + d for o, d in before[block].items()), default=0.0)
        for block in reversed(sequence):
            room = [at[o] - d for o, d in after[block].items()]
            at[block] = max(at[block], min(room)) if room else at[block]
    else:
        for block in reversed(sequence):
            at[block] = min((at[o] - d for o, d in after[block].items()), default=0.0)
        for block in sequence:
            room = [at[o] + d for o, d in before[block].items()]
            at[block] = min(at[block], max(room)) if room else at[block]
    return [at[block] + offset for block, offset in zip(root, shift, strict=True)]


def _align_drafts(layered: Layered, drafts: list[list[float]]) -> None:
    """Shift the drafts so that those packed left share the left edge of the narrowest draft,
    and those packed right its right edge."""
    widths = [item.width for item in layered.items]
    edges = [
        (min(draft), max(x + width for x, width in zip(draft, widths, strict=True)))
        for draft in drafts
    ]
    left, right = min(edges, key=lambda edge: edge[1] - edge[0])
    for number, (draft, edge) in enumerate(zip(drafts, edges, strict=True)):
        from_left = number % 2 == 0
        move = left - edge[0] if from_left else right - edge[1]
        draft[:] = [x + move for x in draft]


# --- sliding ----------------------------------------------------------------------------


def _slide(layered: Layered, gap: float, rounds: int) -> None:
    """Slide straight runs, the straight pieces of long links, and single items, to the weighted
    median of where links pull."""
    for _ in range(rounds):
        moved = 0.0
        for with_boxes in (True, False):
            bent = _with_bends(layered)
            for group in _straight_runs(layered, bent, with_boxes):
                moved += _slide_group(layered, group, gap)
        for number in sorted(_with_bends(layered)):
            moved += _slide_group(layered, [number], gap)
        if moved < 0.5:
            break


def _with_bends(layered: Layered) -> set[int]:
    """The items at the ends of links that do not run straight down: only these may slide."""
    at = [item.x for item in layered.items]
    bent: set[int] = set()
    for segment in layered.segments:
        source, target = segment.source, segment.target
        start = at[source] + segment.source_offset
        if abs(at[target] + segment.target_offset - start) >= _STRAIGHT:
            bent.add(source)
            bent.add(target)
    return bent


def _straight_runs(layered: Layered, bent: set[int], with_boxes: bool) -> list[list[int]]:
    """Items that links without a bend hold together, or only the dummies among them; of all
    such runs those that have one of ``bent`` in them."""
    items, above, below = layered.items, layered.above, layered.below
    seen: set[int] = set()
    runs: list[list[int]] = []
    for start in bent:
        if start in seen or not (with_boxes or items[start].dummy):
            continue
        seen.add(start)
        run = [start]
        for number in run:  # grows while we walk it
            x = items[number].x
            for segment in above[number]:
                other = segment.source
                if other not in seen and (with_boxes or items[other].dummy):
                    there = items[other].x + segment.source_offset
                    if abs(x + segment.target_offset - there) < _STRAIGHT:
                        seen.add(other)
                        run.append(other)
            for segment in below[number]:
                other = segment.target
                if other not in seen and (with_boxes or items[other].dummy):
                    there = items[other].x + segment.target_offset
                    if abs(there - (x + segment.source_offset)) < _STRAIGHT:
                        seen.add(other)
                        run.append(other)
        if len(run) > 1:
            run.sort()
            runs.append(run)
    return sorted(runs)


def _slide_group(layered: Layered, group: list[int], gap: float) -> float:
    """Slide items together as far as pays and as there is room; gives the distance."""
    members, items = set(group), layered.items
    pulls: list[tuple[float, int]] = []
    for number in group:
        item = items[number]
        x, dummy = item.x, item.dummy
        for segment in layered.above[number]:
            if segment.source not in members:
                far = items[segment.source]
                bend = x + segment.target_offset - (far.x + segment.source_offset)
                pulls.append((-bend, _WEIGHTS[dummy + far.dummy]))
        for segment in layered.below[number]:
            if segment.target not in members:
                far = items[segment.target]
                bend = far.x + segment.target_offset - (x + segment.source_offset)
                pulls.append((bend, _WEIGHTS[dummy + far.dummy]))
    if not pulls:
        return 0.0
    wanted = _nearest_weighted_median(pulls)
    if abs(wanted) < _STRAIGHT:
        return 0.0
    move = _allowed(layered, group, members, gap, wanted)
    if abs(move) < _STRAIGHT:
        return 0.0
    for number in group:
        items[number].x += move
    return abs(move)


def _nearest_weighted_median(pulls: list[tuple[float, int]]) -> float:
    """Of all shifts that make the pulls' weighted sum least, the one nearest to none."""
    pulls.sort()
    total = sum(weight for _, weight in pulls)
    seen = 0
    for i, (shift, weight) in enumerate(pulls):
        seen += weight
        if 2 * seen > total:
            return shift
        if 2 * seen == total:
            return min(max(0.0, shift), pulls[i + 1][0])
    return 0.0


def _allowed(
    layered: Layered, group: list[int], members: set[int], gap: float, wanted: float
) -> float:
    """How much of a wanted slide keeps the group at its distance from its neighbours."""
    items, layers = layered.items, layered.layers
    gaps = (gap, (gap + _DUMMY_GAP) / 2, _DUMMY_GAP)
    room, side = abs(wanted), -1 if wanted < 0 else 1
    for number in group:
        item = items[number]
        layer, position = layers[item.layer], item.position + side
        if not 0 <= position < len(layer) or (other := layer[position]) in members:
            continue
        near = items[other]
        left, right = (near, item) if side < 0 else (item, near)
        free = right.x - left.x - left.width - gaps[item.dummy + near.dummy]
        if free < room:
            if free <= 0.0:
                return 0.0
            room = free
    return side * room
