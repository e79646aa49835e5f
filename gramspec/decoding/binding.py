"""The potential of each prompt: a recipe is followed, a trie is opened at its key, the rest is checked.

Law: learned mass is shared only between equal keys; a potential made from the rows of another prompt, model
or law is refused, since it could lose members without an error.
Source: laws, "PrefixTrie" and trap 15.
"""

from __future__ import annotations

from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.rows import RowLaw
from gramspec.errors import OptionError
from gramspec.models.protocol import LanguageModel
from gramspec.validity import LearnedMass, Potential, PrefixTrie, Recipe, TrieKey, Viability, check_bound
from gramspec.validity.binding import Call
from gramspec.validity.protocol import CompiledLanguage


def shared_potential(
    potential: Potential | PrefixTrie | Recipe | None,
    compiled: CompiledLanguage,
    options: DecodingOptions,
    seed: int | None,
) -> Potential | PrefixTrie | Recipe:
    """What the prompts of a call have in common.

    Parameters
    ----------
    potential : Potential, PrefixTrie, Recipe or None
        As given; None is a cold trie over `Viability`.
    compiled : CompiledGrammar
        The language of the call.
    options : DecodingOptions
        Size of a trie.
    seed : int or None
        With a seed a trie is taken cold.

    Raises
    ------
    OptionError
        If it is none of these, belongs to one prompt, or to another language.
    """
    if potential is None:
        return PrefixTrie(Viability(compiled), max_nodes=options.trie_nodes)
    if isinstance(potential, Recipe):
        return potential
    if isinstance(potential, LearnedMass):
        raise OptionError("potential: learned mass belongs to one prompt and one law; pass its PrefixTrie")
    if not isinstance(potential, (PrefixTrie, Potential)):
        raise OptionError(f"potential={potential!r}: a Potential, a PrefixTrie or a Recipe is needed")
    if potential.compiled.fingerprint != compiled.fingerprint:
        raise OptionError("potential: it was made for another grammar or vocabulary")
    return potential.cold() if isinstance(potential, PrefixTrie) and seed is not None else potential


def potential_of_prompt(
    potential: Potential | PrefixTrie | Recipe,
    target: LanguageModel,
    draft: LanguageModel | None,
    prompt: tuple[int, ...],
    rows: RowLaw,
    compiled: CompiledLanguage,
    budget: int,
    options: DecodingOptions,
) -> Potential:
    """The potential of one prompt; a bound that a recipe makes (contract S) learns in a cold trie on top.

    Parameters
    ----------
    potential : Potential, PrefixTrie or Recipe
        From `shared_potential`.
    target, draft : LanguageModel
        As decoding uses them: with a memory of rows, none is paid twice.
    prompt : tuple of int
        Prompt ids.
    rows : RowLaw
        What turns logits into p.
    compiled : CompiledGrammar
        The language of the call.
    budget : int
        Largest number of new tokens, EOS included.
    options : DecodingOptions
        Size of a trie.

    Raises
    ------
    OptionError
        If the potential was made for another prompt, model or law, or a recipe makes no potential of the
        language.
    """
    call = Call(compiled, target, draft, prompt, rows, budget)
    made: Potential | PrefixTrie
    if isinstance(potential, Recipe):
        made = potential.make(call)
        if not isinstance(made, Potential) or made.compiled.fingerprint != compiled.fingerprint:
            raise OptionError(
                f"potential: the recipe {potential.name!r} made {made!r}, no potential of this grammar"
            )
        if made.contract == "S" and not isinstance(made, LearnedMass):
            made = PrefixTrie(made, max_nodes=options.trie_nodes)
    else:
        made = potential
    check_bound(made, call)
    if not isinstance(made, PrefixTrie):
        return made
    key = TrieKey(
        model=target.fingerprint,
        prompt=prompt,
        temperature=float(rows.temperature),
        top_k=rows.top_k,
        top_p=float(rows.top_p),
        language=compiled.fingerprint,
        eos_ids=tuple(compiled.vocabulary.eos_ids),
        base=made.base.name,
        budget=budget,
    )
    return made.at(key, row_noise=rows.noise(target.row_noise))
