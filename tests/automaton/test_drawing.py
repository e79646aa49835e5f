"""Drawings: well-formed SVG that names what the grammar has, and bounds.

Law: boxes lie inside the picture and beside each other; the text of literals, keys, rules and sets is there.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

import gramspec as gs
from gramspec.automaton.drawing import DrawingLimits, draw
from gramspec.automaton.railroad import Box, Diagram, Loop, Row, Stack, count_boxes, svg
from gramspec.grammar import ir
from gramspec.grammar.core import Grammar

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str, kind: str | None = None) -> list[str]:
    root = ET.fromstring(picture)
    return [e.text or "" for e in root.iter(f"{SVG}text") if kind is None or e.get("class") == kind]


def boxes(picture: str) -> list[tuple[float, float, float, float]]:
    root = ET.fromstring(picture)
    found = [e for e in root.iter(f"{SVG}rect") if e.get("class")]
    return [tuple(float(e.attrib[k]) for k in ("x", "y", "width", "height")) for e in found]  # type: ignore[misc]


def check(picture: str) -> None:
    root = ET.fromstring(picture)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    found = boxes(picture)
    for x, y, w, h in found:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for index, (x, y, w, h) in enumerate(found):
        for x2, y2, w2, h2 in found[:index]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, "boxes overlap"
    for number in re.findall(r"-?\d+\.\d", " ".join(e.get("d", "") for e in root.iter(f"{SVG}path"))):
        assert float(number) < max(width, height)


def test_a_pattern() -> None:
    picture = draw(gs.regex("(ab|c)+[0-9]{2,4}(é|漢)?x*"))
    check(picture)
    shown = texts(picture)
    for text in ("ab", "c", "'0' to '9'", "2 to 4 times", "x", "start"):
        assert text in shown
    assert any("'é'" in text for text in shown), "one character out of two, not bytes"


def test_a_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 2, "maxLength": 9},
            "kind": {"enum": ["<&>", "plain"]},
            "tree": {"$ref": "#"},
        },
        "required": ["name"],
    }
    picture = draw(gs.json_schema(schema))
    check(picture)
    assert {"name:", "kind?:", "tree?:", "any other key:"} <= set(texts(picture))
    assert "2 to 9 times" in texts(picture)
    assert any("<&>" in text for text in texts(picture)), "escaped in XML, whole in the picture"
    remark = " ".join(texts(picture, "remark"))
    assert "keys in this order" in remark


def test_every_kind_of_node() -> None:
    rule = ir.Rule("list")
    rule.define(ir.optional(ir.concat(ir.literal("("), ir.Ref(rule), ir.literal(")"))))
    machine = ir.Machine((((ir.literal("a"), 1),), ((ir.literal("b"), 0),)), (False, True))
    parts = [
        ir.Ref(rule),
        ir.Call(ir.byte_set(b"\x80\x81\xff")),
        ir.And((ir.repeat(ir.byte_set(b"ab")), ir.Not(ir.literal("a")))),
        machine,
        ir.EPSILON,
    ]
    picture = draw(Grammar(ir.union(*parts)))
    check(picture)
    shown = " | ".join(texts(picture))
    for text in ("list", "bytes 0x80 0x81 0xFF", "intersection, e.g. ", "automaton, e.g. a"):
        assert text in shown


def test_large_regular_parts_are_one_box_and_other_large_grammars_are_refused() -> None:
    words = gs.choice([f"{n * n * 7919:x}" for n in range(300)])
    picture = draw(words)
    check(picture)
    assert texts(picture, "box") == ["regular part, e.g. 0"]
    many = {"type": "object", "properties": {f"k{n}": {"type": "object"} for n in range(100)}}
    with pytest.raises(gs.LimitError, match="max_boxes: the drawing needs more than 50 boxes"):
        draw(gs.json_schema(many), limits=DrawingLimits(max_boxes=50))
    with pytest.raises(gs.OptionError, match="max_boxes=0"):
        draw(words, limits=DrawingLimits(max_boxes=0))


def test_deep_expressions_are_cut_into_parts() -> None:
    deep: ir.Expr = ir.literal("x")
    rule = ir.Rule("r")
    rule.define(ir.literal("y"))
    for _ in range(700):
        deep = ir.Union((ir.Concat((ir.literal("("), deep, ir.Ref(rule))), ir.literal("z")))
    with pytest.raises(gs.LimitError, match="max_boxes"):
        draw(Grammar(deep))
    nested: ir.Expr = ir.Ref(rule)
    for _ in range(40):
        nested = ir.Union((ir.Concat((ir.literal("("), nested)), ir.literal("z")))
    picture = draw(Grammar(nested))
    check(picture)
    assert "part 1" in texts(picture, "title")


def test_tracks_are_laid_out_and_written() -> None:
    box = Box("a\x00<\ud800  b", "literal")
    track = Row((box, Stack((Row(()), Loop(Box("long " * 30, "set"), "again & again"))), Box("漢字", "note")))
    assert count_boxes(track) == 3
    picture = svg([Diagram("one", "first", track), Diagram("two", "", Row(()))], "title & <tag>")
    check(picture)
    assert texts(picture, "title") == ["one", "two"] and "again & again" in texts(picture)
    assert texts(picture, "box")[0].startswith("a␀<\ufffd") and texts(picture, "box")[1].endswith("…")
