"""Unicode properties and case folding of the ECMA dialect, against the library `regex` and node."""

from __future__ import annotations

import unicodedata

import pytest
import regex as regex_library
from node_oracle import judge, needs_node

from gramspec.errors import GrammarError
from gramspec.grammar import ir
from gramspec.grammar.ranges import SCALARS, Ranges, complement, intersect, is_subset, normalise, unite
from gramspec.grammar.regex import parse_regex
from gramspec.grammar.regex.properties import unicode_property


def one(pattern: str) -> Ranges:
    expr = parse_regex(pattern, "ecma")
    assert isinstance(expr, ir.CharSet)
    return expr.ranges


def holds(ranges: Ranges, char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in ranges)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("Script=Greek", "α\u1f00", "aа\u0301"),
        ("sc=Grek", "α", "a"),
        ("scx=Greek", "α\u0342", "a"),
        ("Script_Extensions=Deva", "क।\u1cd0", "a"),
        ("sc=Deva", "क", "।"),
        ("Script=Han", "漢", "か"),
        ("Emoji", "😀1#", "a"),
        ("Emoji_Presentation", "😀", "1#©"),
        ("EPres", "😀", "1"),
        ("Extended_Pictographic", "😀©", "1"),
        ("Alphabetic", "aé漢\u0345", "1\u0301"),
        ("White_Space", " \t\u0085\u3000", "a\u200b"),
        ("ID_Start", "aé", "1_"),
        ("IDC", "a1_", "-"),
        ("ASCII", "a\x00\x7f", "é"),
        ("Any", "a\U0010ffff", ""),
        ("Assigned", "a", "\u0378"),
        ("Lu", "AÉ", "aǅ"),
        ("Letter", "aAǅʰ漢", "1"),
        ("gc=Decimal_Number", "1٣", "½"),
        ("Pattern_White_Space", "\u200e ", "\u3000"),
        ("Variation_Selector", "\ufe0f", "a"),
        ("Changes_When_NFKC_Casefolded", "Aﬁ\u00ad", "a1"),
        ("Script=Qaai", "\u0301", "a"),
    ],
)
def test_members_of_properties(name: str, inside: str, outside: str) -> None:
    ranges, rest = one(f"\\p{{{name}}}"), one(f"\\P{{{name}}}") if name != "Any" else ()
    assert rest == complement(ranges)
    for char in inside:
        assert holds(ranges, char), char
    for char in outside:
        assert not holds(ranges, char), char


def test_every_name_of_the_tables_is_known() -> None:
    from gramspec.grammar.regex import properties

    for name in properties._binary():
        assert unicode_property(name, None), name
    for name in properties._categories():
        assert unicode_property(name, None) == unicode_property("gc", name), name
    empty = [name for name in properties._scripts() if not unicode_property("sc", name)]
    assert not empty
    for name in properties._scripts():
        if name not in {"Zyyy", "Common", "Zinh", "Inherited", "Qaai"}:
            extended = unicode_property("scx", name)
            assert extended is not None and len(extended) >= 1
    assert len(properties._scripts()) > 330


def test_scripts_part_the_scalars() -> None:
    from gramspec.grammar.regex import properties

    seen: Ranges = ()
    for short in dict.fromkeys(properties._scripts().values()):
        ranges = unicode_property("Script", short)
        assert ranges is not None and not intersect(seen, ranges), short
        seen = unite(seen, ranges)
    assert seen == SCALARS


def test_categories_agree_with_the_older_database_of_python() -> None:
    assigned = [p for p in range(0, 0x2FFFF, 7) if unicodedata.category(chr(p)) not in {"Cn", "Cs"}]
    differ = 0
    for point in assigned:
        ranges = unicode_property("gc", unicodedata.category(chr(point)))
        assert ranges is not None
        differ += not holds(ranges, chr(point))
    assert differ < 10  # a few characters changed their category since


@pytest.mark.parametrize(
    "name",
    [
        "greek",
        "Script=greek",
        "sc",
        "Script",
        "Lu=Yes",
        "ASCII=Yes",
        "InGreek",
        "gc=Greek",
        "Hrkt",
        "IsL",
        "lu",
        "sc=Hrkt",
    ],
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(GrammarError, match="no Unicode property") as caught:
        parse_regex(f"a\\p{{{name}}}", "ecma")
    assert caught.value.pointer == "@1"


IGNORED_CASE = [
    *(
        r"\w",
        r"\W",
        r"[^\w]",
        r"[^\W]",
        "[^x]",
        "k",
        "ſ",
        "K",
        "[a-z]",
        "[^a-z]",
        "ß",
        "ẞ",
        "Σ",
        "İ",
        "ı",
        "I",
    ),
    *("[\u0370-\u03ff]", "[\u1f80-\u1faf]", r"\P{Ll}", "[\u10a0-\u10c5]", "\u01c5", r"\d", r"\S", "."),
]


@needs_node
def test_ignoring_case_as_node_does() -> None:
    # Characters that Python's database knows; node has a newer one.
    points = [p for p in range(0x3000) if unicodedata.category(chr(p)) != "Cn"]
    points += [*range(0xFB00, 0xFB07), *range(0x10400, 0x10450), 0xA64A, 0x1F600]
    given = [chr(point) for point in points if point not in {0x390, 0x3B0, 0x1FD3, 0x1FE3, 0xFB05, 0xFB06}]
    for atom, verdicts in zip(
        IGNORED_CASE, judge([(f"^{atom}$", "iu", given) for atom in IGNORED_CASE]), strict=True
    ):
        assert verdicts is not None
        ranges = one(f"(?i:{atom})")
        wrong = [
            char for char, wanted in zip(given, verdicts, strict=True) if holds(ranges, char) is not wanted
        ]
        newer = [char for char in wrong if holds(one(r"\p{Changes_When_Casemapped}"), char)]
        assert len(wrong) == len(newer) <= (2 if "\\P" in atom else 0), (atom, wrong)


def test_flags_for_a_group() -> None:
    assert one("(?i:a)") == ((0x41, 0x41), (0x61, 0x61))
    assert one("(?i:[^a])") == complement(one("(?i:a)"))
    assert one("(?i:(?-i:a))") == ((0x61, 0x61),)
    assert one("(?s:.)") == SCALARS
    assert not holds(one("(?s:(?-s:.))"), "\n")
    lines = parse_regex("(?m:^b$)", "ecma", search=True)
    assert isinstance(lines, ir.Union)
    for pattern in ("(?ii:a)", "(?i-i:a)", "(?-:a)"):
        with pytest.raises(GrammarError, match="flag"):
            parse_regex(pattern, "ecma")


def test_the_library_has_what_the_dialect_needs() -> None:
    assert is_subset(one(r"\p{Lu}"), one(r"\p{L}"))
    assert regex_library.fullmatch(r"\p{Script=Kawi}", "\U00011f02")
    assert holds(one(r"\p{Script=Kawi}"), "\U00011f02")


def test_space_holds_every_separator() -> None:
    separators = [p for p in range(0x110000) if unicodedata.category(chr(p)) == "Zs"]
    assert len(separators) == 17
    others = (*range(0x09, 0x0E), 0xFEFF, 0x2028, 0x2029)
    assert one(r"\s") == normalise((p, p) for p in (*separators, *others))
    assert complement(one(r"\S")) == one(r"\s")
