"""Native core of gramspec: automata, configurations and token rows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray


def set_main_thread(ident: int) -> None:
    """Tell which thread signal handlers run in."""

def survey(root: object | None, draft: int, declared: bool, inexact: Sequence[str], exact: Sequence[str]) -> tuple[bool, bool, set[int]]:
    """
    Whether a JSON Schema document names no parts of itself, whether it holds text that is no Unicode, and the ids of its schemas that may wait until a text reaches them.
    """

class CancelToken:
    """
    A request, from any thread, to stop a compile or the calls of a matcher: what runs with the token raises
    `CancelledError` within milliseconds, and stays usable with another token or without one.
    """

    def __init__(self) -> None: ...

    def cancel(self) -> None:
        """Ask for an end; it cannot be taken back."""

    @property
    def cancelled(self) -> bool:
        """Whether an end has been asked for."""

class Cursor:
    """The state of one sequence."""

    @overload
    def __init__(self, arg: Cursor, /) -> None: ...

    @overload
    def __init__(self, basis: object, cancel: object | None = None, residual: bool = False) -> None: ...

    @property
    def is_accepting(self) -> bool:
        """Whether the text so far is a member, so that EOS is allowed."""

    @property
    def is_finished(self) -> bool:
        """Whether EOS has been read."""

    @property
    def mask_key(self) -> tuple[int, int]:
        """
        Equal keys, equal masks; the key of another mask is never the same in this process.
        """

    def fill_bitmask(self, array: object, row: int = 0) -> None:
        """
        Write the mask of allowed tokens into one row of a packed array.

        Parameters
        ----------
        array : ndarray or torch.Tensor (CPU), int32, shape (rows, ceil(V / 32))
            Bit ``t % 32`` of word ``t // 32`` is set iff token ``t`` is allowed. The row is written in full.
        row : int

        Raises
        ------
        ValueError
            If the array has another dtype, shape, or is not contiguous along the row.
        LimitError
            If a limit is reached; the row may then hold anything.
        CancelledError
            If the token given to `CompiledGrammar.matcher` has asked for an end.
        """

    def fill_bitmask_tree(self, parents: Sequence[int], tokens: Sequence[int], array: object) -> None:
        """
        Masks after every node of a draft tree, in one call; the state is unchanged.

        Parameters
        ----------
        parents : sequence of int, length n
            Parent of each node, before it in the order; -1 for the current state.
        tokens : sequence of int, length n
        array : ndarray or torch.Tensor (CPU), int32, shape (at least n + 1, ceil(V / 32))
            Row 0: the current state; row i + 1: after node i, zero if node i is not allowed.
        """

    def advance(self, token_id: int) -> None:
        """
        Read one token.

        Raises
        ------
        RejectedTokenError
            If the token is not allowed here; the matcher is unchanged.
        """

    def advance_many(self, ids: Iterable[int]) -> int:
        """
        Read tokens up to the first that is not allowed; return how many were read.
        """

    def rollback(self, n: int) -> None:
        """
        Take back the last `n` tokens, EOS counted; ValueError beyond the history.
        """

def fill_bitmasks(matchers: Sequence[Cursor], array: object, rows: Sequence[int] | None, threads: int) -> list[int]: ...

def processors() -> int:
    """Threads that can run at once."""

class Bounds:
    def __init__(self) -> None: ...

    @property
    def max_states(self) -> int: ...

    @max_states.setter
    def max_states(self, arg: int, /) -> None: ...

    @property
    def max_configurations(self) -> int: ...

    @max_configurations.setter
    def max_configurations(self, arg: int, /) -> None: ...

    @property
    def max_stack_depth(self) -> int: ...

    @max_stack_depth.setter
    def max_stack_depth(self, arg: int, /) -> None: ...

    @property
    def max_row_bytes(self) -> int: ...

    @max_row_bytes.setter
    def max_row_bytes(self, arg: int, /) -> None: ...

    @property
    def mask_steps(self) -> int: ...

    @mask_steps.setter
    def mask_steps(self, arg: int, /) -> None: ...

    @property
    def search_steps(self) -> int: ...

    @search_steps.setter
    def search_steps(self, arg: int, /) -> None: ...

    @property
    def max_cache_bytes(self) -> int: ...

    @max_cache_bytes.setter
    def max_cache_bytes(self, arg: int, /) -> None: ...

    @property
    def mask_seconds(self) -> float: ...

    @mask_seconds.setter
    def mask_seconds(self, arg: float, /) -> None: ...

class Trie:
    """The token bytes of a vocabulary, shared by its engines."""

    def __init__(self, tokens: Sequence[bytes]) -> None: ...

class Engine:
    def __init__(self, trie: Trie, bounds: Bounds, eos_ids: Sequence[int] = []) -> None: ...

    def byte_set(self, mask: bytes, spelled: bool = False) -> int: ...

    def concat(self, arg: Sequence[int], /) -> int: ...

    def union(self, arg: Sequence[int], /) -> int: ...

    def repeat(self, arg0: int, arg1: int, arg2: int | None, /) -> int: ...

    def intersect(self, arg: Sequence[int], /) -> int: ...

    def complement(self, arg: int, /) -> int: ...

    def call(self, arg: int, /) -> int: ...

    def machine(self, arg0: Sequence[Sequence[tuple[int, int]]], arg1: Sequence[bool], /) -> int: ...

    def number(self, most_exponent: int, low: str | None, low_strict: bool, high: str | None, high_strict: bool, fraction: bool, place: int | None, coprime: int, base: int, power: int, others: Sequence[int]) -> int: ...

    def text_spellings(self, arg: str, /) -> int: ...

    def token(self, arg: int, /) -> int: ...

    def token_set(self, arg: Sequence[int], /) -> int:
        """One token out of some, by their ids."""

    def edge_tokens(self, arg: int, /) -> list[int]:
        """The ids that a token edge of `partition_head` stands for."""

    def new_rule(self, arg: str, /) -> int: ...

    def new_deferred_rule(self, arg: str, /) -> int: ...

    def expand(self, arg0: int, arg1: int, /) -> None: ...

    @property
    def everything_writable(self) -> bool: ...

    def rule(self, arg: int, /) -> int: ...

    def define(self, arg0: int, arg1: int, /) -> None: ...

    def finalise(self, arg: Sequence[int], /) -> None: ...

    def json_object(self, properties: Sequence[tuple[bytes, int, int, Sequence[tuple[int, int]], bool, bool]], groups: Sequence[tuple[int, int, Sequence[tuple[int, int]]]], additional: int | None, marked: Sequence[tuple[int, int]], ordered: bool, gap: int, free_key: int, least: int, most: int | None, marks: int) -> int: ...

    @property
    def complete(self) -> bool: ...

    def live(self, arg: int, /) -> bool: ...

    def shortest(self, arg: int, /) -> int | None: ...

    def exclusively(self, load: Callable[[], object], seconds: float = 0.0, cancelled: CancelToken | None = None) -> object:
        """Call a function that nobody else's calls of this engine come between."""

    def on_rule_needed(self, arg: Callable[[int], None], /) -> None:
        """
        Set what loads the body of a rule, by its number, when a call needs it.
        """

    def start(self, arg: int, /) -> int: ...

    def advance(self, arg0: int, arg1: int, /) -> int: ...

    def advance_bytes(self, arg0: int, arg1: bytes, /) -> int: ...

    def advance_edge(self, arg0: int, arg1: int, /) -> int: ...

    def accepts(self, arg: int, /) -> bool: ...

    def live_bytes(self, arg: int, /) -> bytes: ...

    def has_token_edges(self, arg: int, /) -> bool: ...

    def mask(self, arg0: int, arg1: bool, arg2: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], /) -> None: ...

    def prepare(self, arg: int, /) -> None: ...

    def viable(self, arg0: int, arg1: bool, arg2: int, arg3: bool, arg4: Annotated[NDArray[numpy.uint32], dict(shape=(None,), order='C', device='cpu')], /) -> None: ...

    def token_live(self, arg: int, /) -> bool: ...

    def fewest_tokens(self, arg0: int, arg1: bool, arg2: int, /) -> int: ...

    def within(self, arg0: int, arg1: bool, arg2: int, /) -> bool: ...

    def fewest_tokens_bound(self, arg: int, /) -> int: ...

    def shortest_completion(self, arg0: int, arg1: int, /) -> bytes | None: ...

    @property
    def shortcuts(self) -> bool: ...

    @shortcuts.setter
    def shortcuts(self, arg: bool, /) -> None: ...

    @property
    def states(self) -> int: ...

    @property
    def configurations(self) -> int: ...

    @property
    def configurations_used(self) -> int: ...

    @property
    def exhausted(self) -> bool:
        """Whether half of what the engine may hold is used."""

    @property
    def serial(self) -> int: ...

    @property
    def masks_stored(self) -> int: ...

    @property
    def masks_evicted(self) -> int: ...

    @property
    def mask_bytes(self) -> int: ...

    @property
    def row_bytes(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    @property
    def rows_cold(self) -> int: ...

    @property
    def rows_spliced(self) -> int: ...

    @property
    def rows_counted(self) -> int: ...

    @property
    def trie_nodes(self) -> int: ...

def partition_expansion(engine: Engine, expr: int) -> list[list[int]]:
    """
    An expression as a sum of products of expressions; the first of each reads.
    """

def partition_head(engine: Engine, expr: int) -> tuple[bool, list[tuple[int, int, int]], list[tuple[int, int]], list[tuple[int, int]]]:
    """
    Whether it may be empty, its arcs (bytes from, to, target), calls and token edges.
    """

def partition_key(engine: Engine, frame: int) -> list[tuple[int, bool, list[tuple[int, int]]]]:
    """
    What a key being written may become: rest of its spelling, whether it is declared, what follows.
    """

def partition_is_key(engine: Engine, expr: int) -> bool:
    """Whether an expression is the frame of a key being written."""

def partition_items(engine: Engine, config: int) -> tuple[bool, list[tuple[int, int]]]:
    """Whether a configuration holds a finished run; states and stacks."""

def partition_frames(engine: Engine, stack: int) -> tuple[bool, bool, list[tuple[int, int]]]:
    """
    Whether a stack set may end here, whether a key is being written, frames with what lies below (names of written keys forgotten).
    """

def partition_relative(engine: Engine, top: int, frame: int) -> int:
    """A state over an unknown stack."""

def partition_returned(engine: Engine, stack: int) -> int:
    """The configuration after a return into a stack set."""

def partition_effects(engine: Engine, config: int, nodes: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> tuple[bytes, bytes, bytes]:
    """
    Tokens below nodes of the vocabulary, configurations after them, nodes where the stack is left.
    """

def partition_reading(engine: Engine, config: int) -> list[int]:
    """States that may read the next byte."""

def load_stored(engine: Engine, words: bytes, nodes: int, rules: Sequence[str], strings: Sequence[str], builtins: Sequence[int], root: int, most_depth: int) -> int | None: ...

def stored_row(engine: Engine, config: int) -> bytes: ...

def adopt_row(engine: Engine, config: int, words: bytes) -> bool: ...
