"""`exact_law`: the law of a small grammar by enumeration of its token sequences.

Law: "conditional" P*(y) = p(y)/Φ(ε); "masked" ∏ p(v|x)·1[v viable]/Z(x), both cut to N tokens, EOS counted.
Cost: one model row per prefix; sequences are counted before a row is asked for. Source: API, section 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gramspec.audit.law import Law, Outcome
from gramspec.decoding.rows import RowLaw
from gramspec.errors import BudgetTooSmallError, DeadEndError, LimitError, OptionError, PromptError
from gramspec.grammar.core import Grammar
from gramspec.models.protocol import LanguageModel

if TYPE_CHECKING:
    from gramspec.vocabulary import Vocabulary

MemberSource = Callable[[int], Iterable[Sequence[int]]]


class _Prefix:
    """A prefix of some member; children by token, in ascending order of ids."""

    __slots__ = ("children", "member")

    def __init__(self) -> None:
        self.children: dict[int, _Prefix] = {}
        self.member = False


def exact_law(
    model: LanguageModel,
    grammar: Grammar | Any,
    max_new_tokens: int,
    *,
    vocabulary: Vocabulary | None,
    prompt: Sequence[int] = (),
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    law: str = "conditional",
    max_sequences: int = 5000,
    members: MemberSource | None = None,
) -> Law:
    """The exact law over the token sequences of a grammar, EOS included, of at most N tokens.

    Parameters
    ----------
    model : LanguageModel
        The target.
    grammar : Grammar or CompiledGrammar
        What may be written.
    max_new_tokens : int
        N; EOS counts.
    vocabulary : Vocabulary or None
        The vocabulary to compile for; None only with a compiled grammar or with `members`.
    prompt : sequence of int
        Prompt ids.
    temperature, top_p, top_k : float, float, int
        Define p, in the order temperature, top-k, top-p.
    law : {"conditional", "masked"}
        Which law.
    max_sequences : int
        Most token sequences (not strings) to enumerate.
    members : callable, optional
        An independent source of the language instead of the compiled masks: takes N, gives the token
        sequences, EOS included. For cross-checks.

    Returns
    -------
    Law
        Every token sequence of the grammar, also those of probability 0; `log_phi` is log Φ(ε) for the
        conditional law. Under residual predicates the masked law leaves the mass of its dead ends in
        `unresolved`; given that none is met it is `conditioned()`.

    Raises
    ------
    LimitError
        If there are more than `max_sequences` sequences.
    BudgetTooSmallError
        If no member has at most N tokens.
    DeadEndError
        If the law is undefined: p gives the grammar no mass, or (masked) a reachable prefix no viable token.
    """
    if law not in ("conditional", "masked"):
        raise OptionError(f"law={law!r}: 'conditional' or 'masked'")
    if isinstance(max_new_tokens, bool) or not isinstance(max_new_tokens, int) or max_new_tokens < 1:
        raise OptionError(f"max_new_tokens={max_new_tokens!r}: a whole number, at least 1, is needed")
    longest = model.max_length
    if longest is not None and len(prompt) + max_new_tokens > longest:
        raise PromptError(
            f"prompt of {len(prompt)} tokens + {max_new_tokens} new ones: the model takes {longest}"
        )
    rows = RowLaw(temperature, top_k, top_p)
    if members is not None:
        root = _from_members(members(max_new_tokens), max_new_tokens, max_sequences)
        residuals = False
    else:
        compiled = _compiled(grammar, vocabulary)
        root = _from_masks(compiled, max_new_tokens, max_sequences)
        residuals = bool(compiled.residuals)
        if law == "conditional" and residuals:
            _prune(root)
    if not _has_member(root):
        raise BudgetTooSmallError(
            f"no member of the grammar has at most {max_new_tokens} tokens, EOS included"
        )
    log_p = _score(model, prompt, rows, root)
    if law == "masked":
        return _masked(root, log_p, residuals)
    weights = _joint(root, log_p)
    top = max(weights.values())
    if top == -math.inf:
        raise DeadEndError(
            f"the model gives the grammar no probability within {max_new_tokens} tokens: the law is undefined"
            "\n  hint: relax top_k and top_p"
        )
    total = math.fsum(math.exp(lp - top) for lp in weights.values())
    return Law(
        {ids: math.exp(lp - top) / total for ids, lp in weights.items()}, log_phi=top + math.log(total)
    )


def _compiled(grammar: Any, vocabulary: Vocabulary | None) -> Any:
    if not isinstance(grammar, Grammar):
        return grammar
    if vocabulary is None:
        raise OptionError("vocabulary=None: a grammar that is not compiled yet needs a vocabulary")
    from gramspec.matching import compile as compile_grammar

    return compile_grammar(grammar, vocabulary)


def _from_masks(compiled: Any, budget: int, max_sequences: int) -> _Prefix:
    """All members through the exact, budget-aware masks: every branch that is entered ends in L.

    With residual predicates a branch may also end where they refuse EOS: a prefix without children.
    """
    eos = set(compiled.vocabulary.eos_ids)
    root = _Prefix()
    count = 0
    todo = [(root, compiled.matcher(), budget)]
    while todo:
        node, matcher, remaining = todo.pop()
        viable = np.flatnonzero(matcher.viable(remaining, exact=True)).tolist()
        count += sum(token in eos for token in viable) + (not viable)
        if count > max_sequences:
            raise _too_many(max_sequences, budget)
        for token in viable:
            child = node.children[token] = _Prefix()
            if token in eos:
                child.member = True
            else:
                below = matcher.fork()
                below.advance(token)
                todo.append((child, below, remaining - 1))
    return root


def _from_members(source: Iterable[Sequence[int]], budget: int, max_sequences: int) -> _Prefix:
    root = _Prefix()
    count = 0
    for ids in source:
        if len(ids) > budget:
            raise OptionError(f"members({budget}) gave {list(ids)}, which is longer")
        node = root
        for token in ids:
            node = node.children.setdefault(int(token), _Prefix())
        if not node.member:
            node.member = True
            count += 1
            if count > max_sequences:
                raise _too_many(max_sequences, budget)
    _sort(root)
    return root


def _has_member(root: _Prefix) -> bool:
    todo = [root]
    while todo:
        node = todo.pop()
        if node.member:
            return True
        todo.extend(node.children.values())
    return False


def _prune(root: _Prefix) -> None:
    """Drop the branches that end in no member."""
    order = [root]
    for node in order:  # grows: parents before children
        order.extend(node.children.values())
    for node in reversed(order):
        node.children = {v: child for v, child in node.children.items() if child.member or child.children}


def _sort(root: _Prefix) -> None:
    todo = [root]
    while todo:
        node = todo.pop()
        node.children = dict(sorted(node.children.items()))
        todo.extend(node.children.values())


def _too_many(max_sequences: int, budget: int) -> LimitError:
    return LimitError(
        "max_sequences",
        f"the grammar has more than {max_sequences} token sequences of at most {budget} tokens"
        " (every segmentation of a text counts)\n  hint: take a smaller grammar or fewer tokens",
    )


def _score(
    model: LanguageModel, prompt: Sequence[int], rows: RowLaw, root: _Prefix
) -> dict[Outcome, dict[int, float]]:
    """Log p(v|x) of every child of every prefix; one forward per path to a prefix without longer ones."""
    sequence = model.open(prompt)
    found: dict[Outcome, dict[int, float]] = {}

    def keep(prefix: Outcome, node: _Prefix, logits: Any) -> None:
        row = rows.row(np.asarray(logits, dtype=np.float64), prefix)
        with np.errstate(divide="ignore"):
            found[prefix] = {v: float(np.log(row[v])) for v in node.children}

    # Depth first: inner prefixes are scored with the first path that goes through them.
    todo: list[tuple[Outcome, list[_Prefix]]] = [((), [root])]
    while todo:
        prefix, nodes = todo.pop()
        inner = [(v, child) for v, child in nodes[-1].children.items() if child.children]
        if inner:
            todo.extend(((*prefix, v), [*nodes, child]) for v, child in reversed(inner))
            continue
        logits = sequence.score(list(prefix))
        for depth, node in enumerate(nodes):
            if prefix[:depth] not in found:
                keep(prefix[:depth], node, logits[depth])
    return found


def _joint(root: _Prefix, log_p: dict[Outcome, dict[int, float]]) -> dict[Outcome, float]:
    out: dict[Outcome, float] = {}
    todo: list[tuple[Outcome, _Prefix, float]] = [((), root, 0.0)]
    while todo:
        prefix, node, lp = todo.pop()
        if node.member:
            out[prefix] = lp
        for v, child in node.children.items():
            todo.append(((*prefix, v), child, lp + log_p[prefix][v]))
    return out


def _masked(root: _Prefix, log_p: dict[Outcome, dict[int, float]], residuals: bool) -> Law:
    out: dict[Outcome, float] = {}
    lost: list[float] = []
    todo: list[tuple[Outcome, _Prefix, float]] = [((), root, 1.0)]
    while todo:
        prefix, node, mass = todo.pop()
        if node.member:
            out[prefix] = mass
            continue
        shares = {v: math.exp(log_p[prefix][v]) for v in node.children}
        z = math.fsum(shares.values())
        if z <= 0.0 and residuals:
            lost.append(mass)
        elif z <= 0.0 and mass > 0.0:
            raise DeadEndError(
                f"masked law: after {list(prefix)} no viable token has any probability"
                "\n  hint: relax top_k and top_p"
            )
        for v, child in node.children.items():
            todo.append(((*prefix, v), child, mass * shares[v] / z if z > 0.0 else 0.0))
    if residuals and math.fsum(out.values()) <= 0.0:
        raise DeadEndError("masked law: every path with any probability meets a dead end")
    return Law(out, unresolved=math.fsum(lost))
