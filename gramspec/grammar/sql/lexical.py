"""Token sequences of SQL: where white space may stand, and where it must.

Law: two words never touch, a sign never begins a comment; elsewhere white space and comments are free.
Source: none; continuation passing: what may follow a token is known before the token is written.

What may follow a place in a text depends on how the text before it ends: in a word (a letter could be read
as part of it), in a sign that must not meet another sign, or loosely, in anything else. A `Follow` holds one
expression for each. A `Fragment` is a language of token sequences, as the function that puts them in front
of what follows. White space belongs to the token after it. So every boundary between tokens comes out right
without a rule of its own, and what follows a token is one expression, wherever the token is called from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from gramspec.grammar import ir
from gramspec.grammar.choice import prefix_tree
from gramspec.grammar.encoding import utf8_ranges
from gramspec.grammar.ranges import SCALARS, of, subtract

WORD: Final = 0
LOOSE: Final = 1
SIGN: Final = 2
BARE: Final = 3
_ENDS: Final = (WORD, LOOSE, SIGN)

Follow: TypeAlias = "tuple[ir.Expr, ir.Expr, ir.Expr, ir.Expr]"
"""What may stand after a word, after anything loose, after a sign; and without white space in front."""

END: Final[Follow] = (ir.EPSILON, ir.EPSILON, ir.EPSILON, ir.EMPTY)
"""Nothing follows."""


class Fragment:
    """A language of token sequences.

    Parameters
    ----------
    before : callable
        Takes what follows, returns it with the sequences in front.
    """

    __slots__ = ("_before", "_known")

    def __init__(self, before: Callable[[Follow], Follow]) -> None:
        self._before = before
        self._known: dict[tuple[int, ...], tuple[Follow, Follow]] = {}

    def before(self, follow: Follow) -> Follow:
        """The sequences in front of what follows; made once for each."""
        key = tuple(map(id, follow))
        if key not in self._known:
            self._known[key] = (self._before(follow), follow)  # `follow` is kept: its ids are the key
        return self._known[key][0]

    def __add__(self, other: Fragment) -> Fragment:
        """One after the other."""
        return Fragment(lambda follow: self.before(other.before(follow)))

    def __or__(self, other: Fragment) -> Fragment:
        """Either."""
        return alt(self, other)


NOTHING: Final = Fragment(lambda follow: follow)
"""The empty sequence."""

NEVER: Final = Fragment(lambda _: (ir.EMPTY, ir.EMPTY, ir.EMPTY, ir.EMPTY))
"""No sequence."""


def seq(*items: Fragment) -> Fragment:
    """The fragments one after another."""

    def before(follow: Follow) -> Follow:
        for item in reversed(items):
            follow = item.before(follow)
        return follow

    return Fragment(before)


def alt(*items: Fragment) -> Fragment:
    """Any one of the fragments; none of none."""
    if not items:
        return NEVER
    return Fragment(lambda follow: either(*(item.before(follow) for item in items)))


def opt(item: Fragment) -> Fragment:
    """The fragment or nothing."""
    return NOTHING | item


def many(item: Fragment) -> Fragment:
    """The fragment any number of times; it is never the empty sequence."""

    def before(follow: Follow) -> Follow:
        rules = [ir.Rule("more") for _ in _ENDS]
        again = (ir.Ref(rules[WORD]), ir.Ref(rules[LOOSE]), ir.Ref(rules[SIGN]), ir.EMPTY)
        once = item.before(again)
        for end in _ENDS:
            rules[end].define(ir.union(follow[end], once[end]))
        return (*again[:BARE], ir.union(follow[BARE], once[BARE]))

    return Fragment(before)


def listed(item: Fragment, comma: Fragment, least: int = 1, most: int | None = None) -> Fragment:
    """From `least` to `most` items with commas between them."""
    further = comma + item
    if most is None:
        return seq(item, *[further] * (least - 1), many(further))

    def before(follow: Follow) -> Follow:
        behind = follow
        for _ in range(most - least):
            behind = either(follow, further.before(behind))
        return seq(item, *[further] * (least - 1)).before(behind)

    return Fragment(before)


def either(*follows: Follow) -> Follow:
    """What may follow if any of some may."""
    first, second, third, fourth = (ir.union(*items) for items in zip(*follows, strict=True))
    return first, second, third, fourth


def then(text: ir.Expr, follow: ir.Expr) -> ir.Expr:
    """A concatenation that keeps its second part as one node: many first parts share it."""
    if isinstance(text, ir.Empty) or isinstance(follow, ir.Empty):
        return ir.EMPTY
    if isinstance(text, ir.Epsilon):
        return follow
    return text if isinstance(follow, ir.Epsilon) else ir.Concat((text, follow))


class Lexis:
    """White space and comments of a dialect, and the tokens that they separate.

    Parameters
    ----------
    comments : bool
        Whether comments may stand between tokens.
    line_comment : bytes
        How a comment to the end of the line begins; it ends with a line feed.
    """

    def __init__(self, comments: bool, line_comment: bytes = b"--") -> None:
        space = ir.byte_set(b" \t\n\r\x0c")
        if comments:
            no_star, no_end = _all_but(b"*"), _all_but(b"*/")
            stars = ir.repeat(ir.literal("*"), 1)
            block = ir.concat(
                ir.literal("/*"),
                ir.Call(
                    ir.concat(ir.repeat(ir.union(no_star, ir.concat(stars, no_end))), stars, ir.literal("/"))
                ),
            )
            line = ir.concat(
                ir.literal(line_comment), ir.Call(ir.concat(ir.repeat(_all_but(b"\n")), ir.literal("\n")))
            )
            one, first = ir.union(space, block, line), ir.union(space, block)
        else:
            one = first = space
        self._keywords: dict[str, Fragment] = {}
        self._words: dict[str, Fragment] = {}
        self.free = ir.repeat(one)
        self.some = ir.repeat(one, 1)
        self.after_sign = ir.concat(first, self.free)
        self.after_sign_or_none = ir.optional(self.after_sign)

    def token(self, text: ir.Expr, starts: int = LOOSE, ends: int = LOOSE) -> Fragment:
        """A token that starts and ends as told; white space is put in front of it where it must be."""
        first = self.some if starts == WORD else self.free
        third = self.after_sign if starts == SIGN else self.after_sign_or_none

        def before(follow: Follow) -> Follow:
            read = then(text, follow[ends])
            return then(first, read), then(self.free, read), then(third, read), read

        return Fragment(before)

    def keyword(self, words: str) -> Fragment:
        """Key words in any case, white space between them; one fragment for equal words."""
        if words not in self._keywords:
            self._keywords[words] = seq(*map(self._word, words.split()))
        return self._keywords[words]

    def _word(self, word: str) -> Fragment:
        if word not in self._words:
            self._words[word] = self.token(folded(word), WORD, WORD)
        return self._words[word]

    def symbols(self, texts: Iterable[str]) -> Fragment:
        """Any of some signs that may be followed by anything."""
        return self.token(prefix_tree(sorted(text.encode() for text in texts)))

    def signs(self, texts: Iterable[str]) -> Fragment:
        """Any of some signs that must not meet another sign."""
        return self.token(prefix_tree(sorted(text.encode() for text in texts)), SIGN, SIGN)


def folded(word: str) -> ir.Expr:
    """A word with its ASCII letters in either case."""
    return ir.concat(*(fold_byte(byte) for byte in word.encode("utf-8")))


def fold_byte(byte: int) -> ir.ByteSet:
    """A byte; an ASCII letter in either case."""
    letter = bytes((byte,))
    return ir.byte_set(letter.lower() + letter.upper())


def _all_but(bytes_out: bytes) -> ir.Expr:
    """Any character but NUL and the given ASCII ones."""
    return utf8_ranges(subtract(SCALARS, of("\0" + bytes_out.decode())))
