"""Drawing: a grammar as railroad diagrams, one for the start and one for each rule, object and large part.

Law: the diagrams show the expression; a regular part with too many boxes is one box with an example of it.
Cost: one pass over the expression; `DrawingLimits.max_boxes` bounds what is drawn.
Source: architecture, "drawing (Graphviz/SVG)"; the machine is a recursive transition network.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from gramspec.automaton.graph import TextGraph
from gramspec.automaton.railroad import Box, Diagram, Loop, Row, Stack, Track, count_boxes, svg
from gramspec.automaton.reading import LEADS, merge_numbers
from gramspec.automaton.wording import character_words, visible
from gramspec.errors import LimitError, OptionError
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar
from gramspec.grammar.encoding import json_ranges
from gramspec.grammar.ranges import SCALARS, Ranges, normalise, subtract, unite

_DEEPEST: Final = 10
_VALUE_DEPTH: Final = 5
_EXAMPLE: Final = 24
_BACKSLASH: Final = 1 << 0x5C
_JSON_SPACE: Final = sum(1 << byte for byte in b" \t\n\r")
_CONTINUATION: Final = sum(1 << byte for byte in range(0x80, 0xC0))
# Characters that cannot stand raw in a JSON string, so that its classes differ by them from what is seen raw.
_ESCAPED: Final[tuple[Ranges, ...]] = (
    (),
    ((0x22, 0x22),),
    ((0x5C, 0x5C),),
    ((0x22, 0x22), (0x5C, 0x5C)),
    ((0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C)),
    ((0x00, 0x1F),),
)


@dataclass(frozen=True, slots=True)
class DrawingLimits:
    """Bounds of a drawing.

    Parameters
    ----------
    max_boxes : int
        Boxes in all.
    max_regular : int
        Boxes of a regular part; a larger one is drawn as a single box.
    """

    max_boxes: int = 2_000
    max_regular: int = 40


def draw(grammar: Grammar, *, limits: DrawingLimits | None = None) -> str:
    """Draw a grammar.

    Parameters
    ----------
    grammar : Grammar
    limits : DrawingLimits, optional

    Returns
    -------
    str
        An SVG document.

    Raises
    ------
    LimitError
        If the drawing would have more boxes than the limits allow.
    OptionError
        If a limit is not positive.
    """
    limits = limits or DrawingLimits()
    if limits.max_boxes < 1 or limits.max_regular < 1:
        raise OptionError(f"max_boxes={limits.max_boxes}, max_regular={limits.max_regular}: must be positive")
    diagrams = _Draughtsman(grammar, limits).run()
    return svg(diagrams, grammar.description)


class _Draughtsman:
    def __init__(self, grammar: Grammar, limits: DrawingLimits) -> None:
        self.limits = limits
        self.root = grammar.expr
        self.graph = TextGraph(grammar)
        self.names: dict[int, str] = {}
        self.queue: deque[tuple[str, ir.Expr | ir.Rule]] = deque()
        self.counts: dict[str, int] = {}
        self.sets: dict[int, Ranges | None] = {}
        self.sizes: dict[int, int] = {}
        self.regular: dict[int, bool] = {}

    def run(self) -> list[Diagram]:
        self.queue.append(("start", self.root))
        self.names[id(self.root)] = "start"
        diagrams: list[Diagram] = []
        boxes = 0
        while self.queue:
            name, node = self.queue.popleft()
            diagram = self._diagram(name, node)
            boxes += count_boxes(diagram.track)
            if boxes > self.limits.max_boxes:
                raise LimitError(
                    "max_boxes",
                    f"the drawing needs more than {self.limits.max_boxes} boxes; allow more, or draw a part",
                )
            diagrams.append(diagram)
        return diagrams

    def _diagram(self, name: str, node: ir.Expr | ir.Rule) -> Diagram:
        if isinstance(node, ir.Rule):
            return Diagram(name, "rule", self._track(node.body or ir.EMPTY, 0))
        if isinstance(node, ir.JsonObject):
            return Diagram(name, _object_remark(node), self._object(node))
        return Diagram(name, "", self._track(node, 0, root=True))

    # -- tracks ---------------------------------------------------------------------------------------

    def _track(self, node: ir.Expr, depth: int, *, root: bool = False) -> Track:
        characters = self._characters(node)
        if characters is not None:
            return _character_box(characters)
        match node:
            case ir.Epsilon():
                return Row(())
            case ir.Empty():
                return Box("nothing", "note")
            case ir.ByteSet():
                return Box("bytes " + _byte_names(node.mask), "set")
            case ir.TokenEdge():
                return Box(f"token {node.token}", "note")
            case ir.TokenSet():
                listed = ", ".join(map(str, node.tokens[:8])) + (", …" if len(node.tokens) > 8 else "")
                return Box(
                    f"any token but {listed or 'none'}" if node.negated else f"token of {listed}", "note"
                )
            case ir.Ref():
                return self._reference(node.rule, node.rule.name)
            case ir.And() | ir.Not() | ir.Machine():
                return self._example(node)
            case ir.JsonObject():
                if not root:
                    return self._reference(node, "object")
        if self._boxes(node) > self.limits.max_regular and self.regular[id(node)]:
            return self._example(node)
        if depth >= _DEEPEST and not root:
            return self._reference(node, "part")
        match node:
            case ir.Call() | ir.Builtin():
                return self._track(node.item, depth)
            case ir.Concat():
                return _row([self._track(item, depth + 1) for item in node.items])
            case ir.Union():
                return self._union(node, depth)
            case ir.Repeat():
                return self._repeat(node, depth)
            case ir.JsonObject():
                return self._object(node)
        raise AssertionError(node)

    def _union(self, node: ir.Union, depth: int) -> Track:
        tracks: list[Track] = []
        characters: Ranges = ()
        for item in node.items:
            found = self._characters(item)
            if found is None:
                tracks.append(self._track(item, depth + 1))
            else:
                characters = unite(characters, found)
        if characters:
            tracks.insert(0, _character_box(characters))
        # A way around comes first: it is the straight line.
        tracks.sort(key=lambda track: track != Row(()))
        return _stack(tracks)

    def _repeat(self, node: ir.Repeat, depth: int) -> Track:
        if _is_space(node):
            most = "*" if node.maximum is None else f"{{0,{node.maximum}}}"
            return Box("␣" + most, "set")
        inner = self._track(node.item, depth + 1)
        track: Track = inner
        if node.maximum is None or node.maximum > 1:
            track = Loop(inner, _times(node))
        return Stack((Row(()), track)) if node.minimum == 0 else track

    def _object(self, node: ir.JsonObject) -> Track:
        members: list[Track] = []
        for item in node.properties:
            key = Box(visible(item.name) + (":" if item.required else "?:"), "key")
            values = [item.value, *(value for value, _ in item.marked)]
            members.append(_row([key, self._values(values)]))
        for group in node.classes:
            keys = self._track(group.names, _VALUE_DEPTH)
            values = [group.value, *(value for value, _ in group.marked)]
            members.append(_row([Box("key", "note"), keys, Box(":", "key"), self._values(values)]))
        if node.additional is not None:
            values = [node.additional, *(value for value, _ in node.marked)]
            members.append(_row([Box("any other key:", "key"), self._values(values)]))
        if not members:
            return _row([Box("{", "literal"), Box("}", "literal")])
        inner = Loop(_stack(members), "comma")
        needed = node.least or node.marks or any(item.required for item in node.properties)
        middle = inner if needed else Stack((Row(()), inner))
        return _row([Box("{", "literal"), middle, Box("}", "literal")])

    def _values(self, values: list[ir.Expr]) -> Track:
        tracks = [self._track(value, _VALUE_DEPTH) for value in values if not isinstance(value, ir.Empty)]
        if not tracks:
            return Box("nothing", "note")
        return _stack(tracks)

    def _reference(self, node: ir.Expr | ir.Rule, prefix: str) -> Track:
        name = self.names.get(id(node))
        if name is None:
            number = self.counts[prefix] = self.counts.get(prefix, 0) + 1
            # Rules have names already; several may have the same one.
            name = prefix if isinstance(node, ir.Rule) and number == 1 else f"{prefix} {number}"
            self.names[id(node)] = name
            self.queue.append((name, node))
        return Box(name, "reference")

    def _example(self, node: ir.Expr) -> Track:
        loaded = self.graph.engine.whole_nodes.get(id(node))
        kind = type(node).__name__.lower() if isinstance(node, ir.And | ir.Not | ir.Machine) else "regular"
        names = {
            "and": "intersection",
            "not": "complement",
            "machine": "automaton",
            "regular": "regular part",
        }
        text = None
        if loaded is not None:
            start = int(self.graph.engine.core.start(loaded[1]))
            text = self.graph.completion(start) if start else None
        if text is None:
            return Box(names[kind], "note")
        shown = visible(text.decode("utf-8", "replace"))
        return Box(f"{names[kind]}, e.g. {shown[:_EXAMPLE] or 'the empty text'}", "note")

    # -- what is one character ------------------------------------------------------------------------

    def _characters(self, node: ir.Expr) -> Ranges | None:
        """The set of characters that a node spells, in UTF-8 or in any spelling of a JSON string."""
        if not isinstance(node, ir.ByteSet | ir.Concat | ir.Union):
            return None
        if id(node) not in self.sets:
            found = _utf8_characters(node)
            self.sets[id(node)] = found if found is not None else _json_characters(node)
        return self.sets[id(node)]

    def _boxes(self, node: ir.Expr) -> int:
        """Boxes of a node were it drawn in full, up to the limit; also notes which nodes are regular."""
        todo = [(node, False)]
        while todo:
            part, ready = todo.pop()
            if id(part) in self.sizes:
                continue
            one = isinstance(part, ir.JsonObject) or self._characters(part) is not None or _is_space(part)
            below = () if one else ir.children(part)
            if below and not ready:
                todo.append((part, True))
                todo.extend((child, False) for child in below)
                continue
            own = not isinstance(part, ir.Concat | ir.Union)
            total = own + sum(self.sizes[id(child)] for child in below)
            if isinstance(part, ir.Concat):  # neighbouring characters are one box
                single = [self._is_single(item) for item in part.items]
                total -= sum(here and there for here, there in pairwise(single))
            self.sizes[id(part)] = min(total, self.limits.max_boxes + 1)
            called = isinstance(part, ir.Ref | ir.JsonObject | ir.TokenEdge | ir.TokenSet)
            self.regular[id(part)] = not called and all(self.regular[id(child)] for child in below)
        return self.sizes[id(node)]

    def _is_single(self, node: ir.Expr) -> bool:
        found = self._characters(node)
        return found is not None and len(found) == 1 and found[0][0] == found[0][1]


def _is_space(node: ir.Expr) -> bool:
    """Whether a node is the white space between tokens of JSON."""
    match node:
        case ir.Repeat(item=ir.ByteSet() as item, minimum=0):
            return item.mask == _JSON_SPACE
    return False


def _row(tracks: list[Track]) -> Track:
    """One after another; neighbouring literals become one box, plain lines none."""
    out: list[Track] = []
    for track in tracks:
        parts = track.items if isinstance(track, Row) else (track,)
        for part in parts:
            last = out[-1] if out else None
            if isinstance(part, Box) and isinstance(last, Box) and part.kind == last.kind == "literal":
                out[-1] = Box(last.text + part.text, "literal")
            else:
                out.append(part)
    return out[0] if len(out) == 1 else Row(tuple(out))


def _stack(tracks: list[Track]) -> Track:
    """Any one of them; what looks the same is drawn once."""
    distinct = list(dict.fromkeys(tracks))
    return Stack(tuple(distinct)) if len(distinct) > 1 else distinct[0]


def _character_box(characters: Ranges) -> Box:
    if len(characters) == 1 and characters[0][0] == characters[0][1]:
        return Box(visible(chr(characters[0][0])), "literal")
    return Box(character_words(characters), "set")


def _times(node: ir.Repeat) -> str:
    least = max(node.minimum, 1)
    if node.maximum is None:
        return f"{least} times or more" if least > 1 else ""
    if least == node.maximum:
        return f"{least} times"
    return f"{least} to {node.maximum} times" if least > 1 else f"at most {node.maximum} times"


def _object_remark(node: ir.JsonObject) -> str:
    parts = ["keys in this order" if node.order == "schema" else "keys in any order", "? is optional"]
    if node.least:
        parts.append(f"at least {node.least} members")
    if node.most is not None:
        parts.append(f"at most {node.most} members")
    if node.marks:
        parts.append(f"{node.marks.bit_count()} conditions on what must occur")
    return "object: " + ", ".join(parts)


def _byte_names(mask: int) -> str:
    values = [byte for byte in range(256) if mask >> byte & 1]
    shown = " ".join(f"0x{byte:02X}" for byte in values[:6])
    return shown + (" …" if len(values) > 6 else "")


# -- characters out of bytes --------------------------------------------------------------------------


def _utf8_characters(node: ir.Expr) -> Ranges | None:
    """The characters that a node spells in UTF-8, if it spells nothing else."""
    match node:
        case ir.ByteSet() if node.mask and node.mask < 1 << 128:
            return normalise((byte, byte) for byte in range(128) if node.mask >> byte & 1)
        case ir.Union():
            parts = [found for item in node.items if (found := _utf8_characters(item)) is not None]
            return unite(*parts) if len(parts) == len(node.items) else None
        case ir.Concat(items=(ir.ByteSet() as lead, *rest)) if lead.mask >> 0xC2 << 0xC2 == lead.mask:
            leads = [byte for byte in range(0xC2, 0x100) if lead.mask >> byte & 1]
            if not leads or not all(byte in LEADS for byte in leads):
                return None
            counts = {LEADS[byte][0] for byte in leads}
            if len(counts) > 1:
                return None
            count = counts.pop()
            tails = _tails(rest, count)
            if tails is None:
                return None
            bases = [LEADS[byte][1] << 6 * count for byte in leads]
            return normalise((base + low, base + high) for base in bases for low, high in tails)
    return None


def _tails(items: list[ir.Expr], count: int) -> Ranges | None:
    """Numbers spelled by `count` continuation bytes."""
    if not items:
        return ((0, 0),) if count == 0 else None
    first, *rest = items
    match first:
        case ir.ByteSet() if count and first.mask and not first.mask & ~_CONTINUATION:
            tails = _tails(rest, count - 1)
            if tails is None:
                return None
            bases = [(byte & 0x3F) << 6 * (count - 1) for byte in range(0x80, 0xC0) if first.mask >> byte & 1]
            return merge_numbers((base + low, base + high) for base in bases for low, high in tails)
        case ir.Union() if not rest:
            parts = [_tails(_items(item), count) for item in first.items]
            if all(part is not None for part in parts):
                return merge_numbers(pair for part in parts if part is not None for pair in part)
    return None


def _items(node: ir.Expr) -> list[ir.Expr]:
    return list(node.items) if isinstance(node, ir.Concat) else [node]


def _json_characters(node: ir.Expr) -> Ranges | None:
    """The characters that a node stands for in any spelling of a JSON string.

    Equal classes are one object, so a guess from what is written raw can be checked.
    """
    if isinstance(node, ir.Concat):
        for characters in _ESCAPED[1:3]:
            if json_ranges(characters) is node:
                return characters
        return None
    if not isinstance(node, ir.Union):
        return None
    escapes = [item for item in node.items if _is_escape(item)]
    raw = [found for item in node.items if (found := _utf8_characters(item)) is not None]
    if not escapes or len(escapes) + len(raw) != len(node.items):
        return None
    seen = unite(*raw)
    for added in (*_ESCAPED, subtract(SCALARS, seen)):
        guess = unite(seen, added)
        if guess and json_ranges(guess) is node:
            return guess
    return None


def _is_escape(node: ir.Expr) -> bool:
    items = _items(node)
    return len(items) > 1 and isinstance(items[0], ir.ByteSet) and items[0].mask == _BACKSLASH
