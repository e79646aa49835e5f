"""Fuzz harness of regular expressions: a byte of options, then a pattern; compiled and walked.

Law: malformed, empty, refused or over a limit by name, or masks whose texts are members; in both dialects,
as the whole of a text and as the ``pattern`` of a JSON string.
Source: API, sections 1 and 3; syntax of `re` and of ECMA-262.
"""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Iterator

import gramspec as gs
from tests.fuzz.harness import LIMITS, change_bytes, check, dice_of, text_of
from tests.fuzz.walking import vocabulary, walk

WALKS, STEPS = 3, 30
SEEDS = 100

_ATOMS = [
    *("a", "b", "ab", ".", "[ab]", "[^a]", r"\w", r"\W", r"\d", r"\s", r"\S", r"\n", r"\x61", r"\u0061", "é"),
    *("^", "$", r"\b", r"\B", r"\A", r"\Z", "(?:)", "[]", "[^]", "[a-z]", "[\\u0000-\\uffff]", "\U0001f600"),
    *(
        r"\p{L}",
        r"\P{Lu}",
        r"\1",
        r"(?P<n>a)",
        r"(?P=n)",
        r"(?<n>b)",
        r"\k<n>",
        "(a)",
        r"\cA",
        r"\0",
        "{",
        "}",
    ),
]
_COUNTS = [
    *(
        "*",
        "+",
        "?",
        "{2}",
        "{0,2}",
        "{1,3}",
        "*?",
        "+?",
        "??",
        "{2,}",
        "*+",
        "++",
        "{0}",
        "{1,1000}",
        "{3,2}",
    ),
    *("{0,1000000000}", "{99999999999999999999}", "{,2}"),
]
_GROUPS = [
    *(
        "(?:",
        "(",
        "(?=",
        "(?!",
        "(?<=",
        "(?<!",
        "(?>",
        "(?i:",
        "(?m:",
        "(?s:",
        "(?x:",
        "(?-i:",
        "(?a:",
        "(?#",
    ),
    "(?(1)",
]
_FLAGS = ["(?i)", "(?m)", "(?s)", "(?x)", "(?a)", "(?u)"]
_WHOLE = [
    *(
        "(a|b)*a(a|b){24}",
        "(a+)+$",
        "(a|aa){0,1000}",
        "((a{1,1000}){1,1000})",
        "((a*)*)*b",
        "a+a",
        "(.*a){9}",
    ),
    *("(?:(?!ab).){0,100}", "(?=.*a)(?=.*b).{3}", r"^\s+|\s+$", r"[\w.]+@[\w.]+\.\w{2,4}", "x" * 200),
    *(
        r"(?<year>\d{4})-(?<m>\d\d)",
        "[^\\x00-\\x7f]+",
        r"\p{Script=Greek}+",
        "(?:a|ab)(?:c|bcd)(?:d*)",
        "[a-",
    ),
    *(
        "(?i)straße",
        "\\",
        "(",
        "a{,",
        "[[:alpha:]]",
        r"[\d-x]",
        r"\N{DIGIT ONE}",
        r"\ud83d\ude00",
        "[\\ud83d]",
    ),
]


class RegexHarness:
    """See the head of the file."""

    name = "regex"
    what = "gramspec.regex in both dialects, and as a pattern of json_schema; walks along the masks"
    longest = 400
    words = tuple(
        word.encode() for word in [*_ATOMS, *_COUNTS, *_GROUPS, *_FLAGS, ")", "|", "[^", "]", "-", "&&"]
    )

    def seeds(self) -> Iterator[bytes]:
        """Random patterns, and some known to be hard."""
        for seed in range(SEEDS):
            yield bytes([seed * 37 & 255]) + pattern(random.Random(seed), 4).encode()
        for number, whole in enumerate(_WHOLE):
            yield bytes([number & 3]) + whole.encode("utf-8", "surrogatepass")

    def mutate(self, data: bytes, choose: random.Random) -> bytes:
        """Another pattern: parts in groups, counted, beside others; options now and then."""
        head = data[:1] if choose.random() < 0.8 else bytes([choose.randrange(256)])
        text = text_of(data[1:])
        for _ in range(1 + choose.randrange(2)):
            start = choose.randrange(len(text) + 1)
            end = min(len(text), start + choose.randrange(1 + len(text)))
            part = text[start:end]
            match choose.randrange(6):
                case 0:
                    part = choose.choice(_GROUPS) + part + ")"
                case 1:
                    part = "(?:" + part + ")" + choose.choice(_COUNTS)
                case 2:
                    part = "(?:" + part + "|" + pattern(choose, 1) + ")"
                case 3:
                    part += pattern(choose, 2)
                case 4:
                    part = pattern(choose, 2)
                case _:
                    part = change_bytes(
                        part.encode("utf-8", "surrogatepass"), choose, self.words, 400
                    ).decode("utf-8", "replace")
            text = text[:start] + part + text[end:]
        return (head + text.encode("utf-8", "surrogatepass"))[: self.longest]

    def run(self, data: bytes) -> None:
        """Compile and walk."""
        flags = data[0] if data else 0
        text = text_of(data[1:])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of `re` about its future syntax
                if flags & 2:
                    grammar = gs.json_schema(json.dumps({"type": "string", "pattern": text}))
                else:
                    grammar = gs.regex(text, dialect="ecma" if flags & 1 else "python")
            compiled = gs.compile(grammar, vocabulary(complete=not flags & 4), limits=LIMITS)
            choose = dice_of(data)
            for _ in range(WALKS):
                ended = walk(compiled, choose, STEPS)
                if ended is not None:
                    check(grammar.accepts(ended), f"a walk ended outside the grammar: {ended!r}")
                    ended.decode("utf-8")
        except (gs.GrammarError, gs.VocabularyError, gs.LimitError):
            return


def pattern(choose: random.Random, depth: int) -> str:
    """A random pattern, mostly well-formed."""
    if depth == 0 or choose.random() < 0.2:
        return choose.choice(_ATOMS)
    inside = pattern(choose, depth - 1)
    match choose.randrange(8):
        case 0 | 1 | 2:
            return inside + pattern(choose, depth - 1)
        case 3:
            return f"(?:{inside}|{pattern(choose, depth - 1)})"
        case 4 | 5:
            return f"(?:{inside}){choose.choice(_COUNTS)}"
        case 6:
            return f"{choose.choice(_GROUPS)}{inside})"
        case _:
            return choose.choice(_FLAGS) + inside
