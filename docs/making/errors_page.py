"""The page of errors, made from the classes of `gramspec.errors` and one line of advice for each.

Run: python docs/making/errors_page.py; writes docs/errors.md.
Law: every class of the module is on the page, with its own docstring.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Final

from gramspec import errors

PAGE: Final = Path(__file__).resolve().parents[1] / "errors.md"
GAVE_UP: Final = (errors.LimitError, errors.BudgetExhaustedError, errors.DeadEndError)

ADVICE: Final[dict[str, str]] = {
    "GramspecError": "Catch it to catch all of them.",
    "GrammarError": "Change the grammar at `pointer`; `hint` says what to write where that is known.",
    "UnsupportedError": "Say it otherwise, or leave the construct out; the message names it.",
    "EmptyLanguageError": "Two demands contradict each other; `gramspec compile` on parts of it finds which.",
    "VocabularyError": "Check that the tokenizer is the model's, and has an EOS token and all bytes that are needed.",
    "LimitError": "Raise the limit that `limit` names, or make the grammar smaller.",
    "StateLimitError": "Raise `Limits.max_states`, or bound repetitions in the grammar.",
    "ConfigurationLimitError": "Raise `Limits.max_configurations`; strong ambiguity is the usual cause.",
    "StackDepthLimitError": "Raise `Limits.max_stack_depth`, or bound the nesting.",
    "RowLimitError": "Raise `Limits.max_row_bytes`, or share one engine between fewer grammars.",
    "MaskStepLimitError": "Raise `Limits.mask_steps`; an ambiguous grammar written otherwise is better.",
    "SearchStepLimitError": "Raise `Limits.search_steps`, or `max_new_tokens`: it happens at the end of a tight budget.",
    "NodeLimitError": "Raise `Limits.max_nodes`, or name shared parts once by rules or references.",
    "CompileTimeLimitError": "Raise `Limits.compile_seconds`.",
    "MaskTimeLimitError": "Raise `Limits.mask_seconds`.",
    "ExactLimitError": "Take a smaller budget or grammar, `ExactNgram`, or the default potential, which learns.",
    "CancelledError": "Nothing: it was asked for. The call can be made again.",
    "SerialisationError": "Store the grammar again with this version and vocabulary.",
    "RowCacheWarning": "Delete the file it names; rows were made without it.",
    "RejectedTokenError": "Choose among `matcher.allowed_ids()`; the message says why the token is refused.",
    "ModelError": "See the message: a path, a tokenizer, a kind of cache that cannot be rolled back.",
    "PromptError": "Shorten the prompt, or give ids of the model's vocabulary.",
    "LogitsError": "The model is broken at the prefix named: look for NaN, or for processors that forbid all.",
    "OptionError": "Change the option that the message names.",
    "DraftError": "The drafter is at fault, not the grammar: report it, or correct your own drafter.",
    "BudgetTooSmallError": "Raise `max_new_tokens` to at least what the message says.",
    "ContractError": "The potential claims more than holds; pass it as contract W, or correct it.",
    "DivergenceError": "Scale the weights down, or bound the length.",
    "DeadEndError": "Use the conditional law, or draw again; with top-k and top-p, widen them.",
    "BudgetExhaustedError": 'Raise the budget, ask the model for the format in the prompt, or use `sampler="auto"`.',
    "UndefinedLawError": "No sampler can help: with these options the model never writes a member.",
    "KernelError": "Change the tensor or the device that `place` names.",
}


def classes() -> list[type[BaseException]]:
    """Every error of the module, in its order."""
    return [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, BaseException) and item.__module__ == errors.__name__
    ]


def page() -> str:
    """The whole page."""
    lines = [
        "# Errors",
        "",
        "Whatever goes wrong ends in one of these, never in text outside of the grammar. All are in `gramspec.errors`, most in",
        "`gramspec` as well. On the [command line](commands.md) the exit code is 3 where a limit or a budget was reached, else 2.",
        "",
    ]
    for each in classes():
        bases = ", ".join(f"`{base.__name__}`" for base in each.__bases__)
        if issubclass(each, errors.GramspecError) and each is not errors.GramspecError:
            code = f" Exit code {3 if issubclass(each, GAVE_UP) else 2}."
        else:
            code = ""
        doc = inspect.cleandoc(each.__doc__ or "")
        meaning, _, parameters = doc.partition("Parameters\n----------\n")
        lines += [f"## {each.__name__}", "", f"Also caught as {bases}.{code}", "", meaning.strip(), ""]
        lines += [*_attributes(parameters), f"**What to do.** {ADVICE[each.__name__]}", ""]
    return "\n".join(lines)


def _attributes(parameters: str) -> list[str]:
    """A list of what an error carries, from the section of its docstring."""
    found: list[str] = []
    for line in parameters.splitlines():
        if line and not line.startswith(" "):
            name, _, kind = line.partition(" : ")
            found.append(f"* `{name}` ({kind}):")
        elif line.strip():
            found[-1] += " " + line.strip()
    return [*found, ""] if found else []


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
