"""The laws a grammar keeps, as a test mixin.

Law: membership, masks and every segmentation into tokens agree. Cost: some compiles of small vocabularies.
Source: laws, "How exactness is proved".
"""

from __future__ import annotations

import itertools
from typing import Any

from gramspec.testing.grammars import SeededDice


class GrammarLaws:
    """Mixin: laws of one grammar, given some members and near misses.

    Subclasses define `grammar`, `members` and `others` (strings or bytes).
    """

    members: tuple[str | bytes, ...] = ()
    others: tuple[str | bytes, ...] = ()
    seed = 47

    def grammar(self) -> Any:
        """The grammar under test."""
        raise TypeError(f"{type(self).__name__} defines no grammar")

    def _raw(self) -> tuple[list[bytes], list[bytes]]:
        def encode(text: str | bytes) -> bytes:
            return text.encode() if isinstance(text, str) else text

        return [encode(t) for t in self.members], [encode(t) for t in self.others]

    def _compiled(self) -> Any:
        """All bytes, and pieces of members and near misses cut anywhere; the last id is EOS."""
        from gramspec.matching import compile as compile_grammar
        from gramspec.vocabulary import Vocabulary

        dice = SeededDice([self.seed])
        tokens: list[bytes | None] = [bytes([b]) for b in range(256)]
        for text in itertools.chain(*self._raw()):
            for _ in range(6):
                cut = dice.pick(max(1, len(text)))
                tokens.append(text[cut : cut + 1 + dice.pick(6)] or text[:1] or b"?")
        return compile_grammar(self.grammar(), Vocabulary([*tokens, None], [len(tokens)]))

    def test_membership(self) -> None:
        """`accepts` says yes to the members and no to the others."""
        grammar = self.grammar()
        members, others = self._raw()
        assert members and others
        assert [t for t in members if not grammar.accepts(t)] == []
        assert [t for t in others if grammar.accepts(t)] == []

    def test_every_segmentation_of_a_member_is_a_member(self) -> None:
        """Random cuts into tokens: each token is in the mask, EOS at the end."""
        compiled = self._compiled()
        table, dice = compiled.vocabulary.tokens, SeededDice([self.seed, 1])
        eos = compiled.vocabulary.eos_ids[0]
        for text in self._raw()[0]:
            for _ in range(5):
                matcher, rest = compiled.matcher(), text
                while rest:
                    fits = [t for t, raw in enumerate(table) if raw and rest.startswith(raw)]
                    token = fits[dice.pick(len(fits))]
                    assert set(fits) <= set(matcher.allowed_ids().tolist()), (text, rest)
                    matcher.advance(token)
                    rest = rest[len(table[token]) :]
                assert matcher.is_accepting and eos in matcher.allowed_ids(), text

    def test_no_segmentation_of_another_text_ends(self) -> None:
        """Token by token, a text outside the language is stopped, or refused EOS."""
        compiled = self._compiled()
        table, dice = compiled.vocabulary.tokens, SeededDice([self.seed, 2])
        eos = compiled.vocabulary.eos_ids[0]
        for text in self._raw()[1]:
            for _ in range(5):
                matcher, rest = compiled.matcher(), text
                while rest:
                    fits = [t for t, raw in enumerate(table) if raw and rest.startswith(raw)]
                    token = fits[dice.pick(len(fits))]
                    if matcher.advance_many([token]) == 0:
                        break
                    rest = rest[len(table[token]) :]
                assert rest or eos not in matcher.allowed_ids(), text

    def test_walks_under_masks_end_in_the_language(self) -> None:
        """Random walks that end within 400 tokens are members; no walk meets an empty mask."""
        compiled, grammar = self._compiled(), self.grammar()
        table = compiled.vocabulary.tokens
        eos = compiled.vocabulary.eos_ids[0]
        for walk in range(12):
            dice = SeededDice([self.seed, 3, walk])
            matcher, written = compiled.matcher(), b""
            for _ in range(400):
                ids = matcher.allowed_ids().tolist()
                assert ids, written
                token = eos if eos in ids and dice.pick(3) == 0 else ids[dice.pick(len(ids))]
                matcher.advance(token)
                if token == eos:
                    assert grammar.accepts(written), written
                    break
                written += table[token]
