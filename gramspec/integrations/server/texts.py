"""From the fields of a request to its texts: what is checked before, and the task that writes them.

Law: under a grammar that of `gramspec.generate`, the same texts for a seed; without one the model's own.
Cost: that of the sampler; one forward more per piece where log-probabilities are asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from gramspec.decoding.checks import check_budget, check_lengths
from gramspec.decoding.completion import Completion
from gramspec.decoding.generate import generate
from gramspec.decoding.greedy import greedy
from gramspec.decoding.options import DecodingOptions
from gramspec.decoding.rows import RowLaw
from gramspec.decoding.streaming import Chunk
from gramspec.errors import PromptError
from gramspec.integrations.server.answers import Claims, GrammarFacts, claims_of, finite
from gramspec.integrations.server.cache import Cancellable
from gramspec.integrations.server.engine import Work
from gramspec.integrations.server.errors import ApiError
from gramspec.integrations.server.grammars import Wanted
from gramspec.integrations.server.plain import PlainText, Writing
from gramspec.integrations.server.schemas import Law, Sampling
from gramspec.integrations.server.scoring import Scored, Scorer
from gramspec.integrations.server.server import Server, share_of
from gramspec.matching import CompiledGrammar


class Piece(NamedTuple):
    """A piece of a text that nothing can take back.

    Attributes
    ----------
    number : int
        Of the text: prompt times `n` plus sample.
    text : str
    scores : list of Scored
        Of its tokens, if asked for.
    """

    number: int
    text: str
    scores: list[Scored]


class Written(NamedTuple):
    """A text.

    Attributes
    ----------
    text : str
    tokens : int
        EOS included.
    finish : {"stop", "length"}
    claims : Claims
    scores : list of Scored
    """

    text: str
    tokens: int
    finish: Literal["stop", "length"]
    claims: Claims
    scores: list[Scored]


@dataclass(frozen=True)
class Plan:
    """What a request asks for, checked; `run` is the task of the engine.

    Attributes
    ----------
    server : Server
    prompts : list of token-id lists
    n, max_new_tokens : int
    temperature, top_p : float
    top_k : int
    seed : int or None
    stop : tuple of str
    law : {"conditional", "masked", "greedy"}
    asked : Law
        Further options.
    top : int or None
        Alternatives named at each token; None scores nothing.
    wanted : Wanted or None
        The grammar as asked for.
    compiled : CompiledGrammar or None
        None for plain text.
    begun : float
        When the request was read, by `time.monotonic`.
    """

    server: Server
    prompts: list[list[int]]
    n: int
    max_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    seed: int | None
    stop: tuple[str, ...]
    law: Literal["conditional", "masked", "greedy"]
    asked: Law
    top: int | None
    wanted: Wanted | None
    compiled: CompiledGrammar | None = None
    begun: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """What is left of the time that a request has."""
        return max(0.0, self.begun + self.server.settings.request_seconds - time.monotonic())

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""
        return sum(len(prompt) for prompt in self.prompts)

    @property
    def alone(self) -> bool:
        """Whether rows are computed apart from those of other requests."""
        return self.server.alone(0 if self.law == "greedy" else self.seed)

    def facts(self) -> GrammarFacts | None:
        """What is said of the grammar."""
        if self.compiled is None or self.wanted is None:
            return None
        return GrammarFacts(
            kind=self.wanted.kind, masks_exact=self.compiled.masks_exact, residuals=self.compiled.residuals
        )

    def run(self, work: Work, show: Callable[[Piece], None] | None = None) -> list[Written]:
        """Write the texts.

        Parameters
        ----------
        work : Work
            From the engine.
        show : callable, optional
            Takes pieces as soon as nothing can take them back.
        """
        if self.compiled is None:
            return self._plain(work, show)
        return self._of_grammar(work, Cancellable(self.compiled, work.cancel), show)

    def _plain(self, work: Work, show: Callable[[Piece], None] | None) -> list[Written]:
        rows = None if self.law == "greedy" else self._rows()
        writer = PlainText(
            work.target, self.server.vocabulary, rows, self.max_new_tokens, stop=self.stop, top=self.top
        )
        shown = None if show is None else lambda k, text, scores: show(Piece(k, text, scores))
        texts = writer.write(self.prompts, self.n, self.seed, shown)
        return [_written(one, "greedy" if rows is None else "model") for one in texts]

    def _of_grammar(
        self, work: Work, compiled: CompiledGrammar, show: Callable[[Piece], None] | None
    ) -> list[Written]:
        scores: dict[int, list[Scored]] = {}
        scorers: dict[int, Scorer] = {}
        spent: dict[int, int] = {}

        def piece(chunk: Chunk) -> None:
            index = chunk.prompt * self.n + chunk.sample
            new: list[Scored] = []
            if self.top is not None:
                scorer = scorers.get(index)
                if scorer is None:
                    prompt = self.prompts[chunk.prompt]
                    scorer = Scorer(work.target, self.server.vocabulary, prompt, self._rows(), self.top)
                    scorers[index] = scorer
                new = scorer.score(chunk.token_ids)
                scores.setdefault(index, []).extend(new)
                spent[index] = spent.get(index, 0) + bool(new)
            if show is not None and (chunk.text or new):
                show(Piece(index, chunk.text, new))

        wants = self.top is not None or show is not None
        if self.law == "greedy":
            found = self._greedy(work, compiled, piece if wants else None)
        else:
            found = self._generated(work, compiled, piece if wants else None)
        texts = []
        for index, one in enumerate(x for each in found for x in each):
            claims = claims_of(one)
            if index in spent:
                more = claims.target_forwards + spent[index]
                claims = claims.model_copy(update={"target_forwards": more})
            texts.append(Written(one.text, len(one.token_ids), "stop", claims, scores.get(index, [])))
        return texts

    def _generated(
        self, work: Work, compiled: CompiledGrammar, piece: Callable[[Chunk], None] | None
    ) -> list[list[Completion]]:
        assert self.law != "greedy"
        return generate(
            work.target,
            self.prompts,
            compiled,
            draft=work.draft if self.asked.draft else None,
            law=self.law,
            sampler=self.asked.sampler,
            n=self.n,
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            seed=self.seed,
            options=self._options(),
            stream=piece,
        )

    def _greedy(
        self, work: Work, compiled: CompiledGrammar, piece: Callable[[Chunk], None] | None
    ) -> list[list[Completion]]:
        check_budget(compiled, self.max_new_tokens)
        draft = work.draft if self.asked.draft else None
        found = []
        for i, prompt in enumerate(self.prompts):
            [one] = greedy(
                work.target,
                [prompt],
                compiled,
                draft=draft,
                max_new_tokens=self.max_new_tokens,
                options=self._options(),
            )
            found.append([one] * self.n)
            if piece is not None:
                for k in range(self.n):
                    piece(Chunk(i, k, one.token_ids, one.text, True))
        return found

    def _rows(self) -> RowLaw:
        if self.law == "greedy":
            return RowLaw()
        return RowLaw(self.temperature, self.top_k, self.top_p)

    def _options(self) -> DecodingOptions:
        asked = self.asked
        options = DecodingOptions(
            gamma=asked.gamma,
            max_attempts=asked.max_attempts,
            max_seconds=asked.max_seconds,
            drafter=asked.drafter,
            verifier=asked.verifier,
            controller=asked.controller,
            parallel=asked.parallel,
            auto_attempts=asked.auto_attempts,
            particles=asked.particles,
            mcmc_steps=asked.mcmc_steps,
        )
        return share_of(options, self.server.settings)


def planned(
    server: Server,
    body: Sampling,
    prompts: list[list[int]],
    wanted: Wanted | None,
    *,
    top: int | None,
    max_tokens: int | None,
) -> Plan:
    """Check what a request asks for, all but its grammar.

    Parameters
    ----------
    server : Server
    body : Sampling
    prompts : list of token-id lists
    wanted : Wanted or None
        The grammar.
    top : int or None
        Alternatives named at each token.
    max_tokens : int or None
        As asked for.

    Raises
    ------
    ApiError
        400, naming the field.
    """
    asked = body.gramspec or Law()
    n = body.n if body.n is not None else 1
    settings = server.settings
    temperature = 1.0 if body.temperature is None else body.temperature
    law = asked.law or ("greedy" if temperature == 0 else "conditional")
    if law != "greedy" and temperature == 0:
        raise _refused(
            "temperature", f"0 is greedy decoding, which is not the {law} law; take a positive one"
        )
    if law == "greedy" and temperature != 0 and body.temperature is not None:
        raise _refused("gramspec.law", "greedy goes with temperature 0 alone")
    if law != "conditional" and asked.sampler != "auto":
        raise _refused(
            "gramspec.sampler", f"{asked.sampler!r} samples the conditional law, not the {law} one"
        )
    _check_options(asked, body, wanted, law)
    if len(prompts) * n > settings.max_texts:
        raise _refused("n", f"{len(prompts) * n} texts are asked for; at most {settings.max_texts} may be")
    if top is not None and top > settings.max_logprobs:
        raise _refused("logprobs", f"at most {settings.max_logprobs} alternatives may be asked for")
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    if "" in stop:
        raise _refused("stop", "an empty string stops nothing")
    if stop and wanted is not None:
        raise _refused(
            "stop",
            "a text cut off at a string is no member of the grammar; let the grammar end there",
        )
    if body.stream_options is not None and not body.stream:
        raise _refused("stream_options", "it goes with stream: true alone")
    draft = server.draft if wanted is not None and asked.draft else None
    longest = [model.max_length for model in (server.target, draft) if model is not None and model.max_length]
    room = settings.max_new_tokens
    if longest:
        room = min(room, min(longest) - max(len(prompt) for prompt in prompts))
    most = max_tokens if max_tokens is not None else max(1, min(settings.default_tokens, room))
    if most > settings.max_new_tokens:
        raise _refused("max_tokens", f"{most} is more than the server allows ({settings.max_new_tokens})")
    try:
        check_lengths(server.target, draft, prompts, most)
    except PromptError as error:
        raise ApiError(
            400, str(error), code="context_length_exceeded", param="prompt", details={"room": max(0, room)}
        ) from None
    return Plan(
        server=server,
        prompts=prompts,
        n=n,
        max_new_tokens=most,
        temperature=temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=body.top_k or 0,
        seed=body.seed,
        stop=stop,
        law=law,
        asked=asked,
        top=top,
        wanted=wanted,
    )


def with_grammar(plan: Plan, compiled: CompiledGrammar) -> Plan:
    """The plan with its grammar.

    Parameters
    ----------
    plan : Plan
    compiled : CompiledGrammar
    """
    return replace(plan, compiled=compiled)


_OF_JSON = ("whitespace", "property_order", "formats")
_NOT_GREEDY = ("drafter", "verifier", "controller", "parallel", "particles", "mcmc_steps", "auto_attempts")


def _check_options(asked: Law, body: Sampling, wanted: Wanted | None, law: str) -> None:
    """Refuse options that would have no effect."""
    given = asked.model_fields_set
    if wanted is None:
        useless = sorted(given - {"law"}) or (["law"] if asked.law not in (None, "greedy") else [])
        if useless:
            raise _refused(f"gramspec.{useless[0]}", "there is no grammar; name one, or leave it out")
        return
    if wanted.kind not in ("json_schema", "json_object", "tools"):
        for name in _OF_JSON:
            if name in given:
                raise _refused(f"gramspec.{name}", f"it is about JSON, and the grammar is {wanted.kind}")
    if law == "greedy":
        for name in _NOT_GREEDY:
            if name in given:
                raise _refused(f"gramspec.{name}", "greedy decoding has no such option")
        if body.top_k or body.top_p not in (None, 1.0):
            name = "top_k" if body.top_k else "top_p"
            raise _refused(
                name, "greedy decoding takes the most probable token that may follow, whatever its rank"
            )


def _refused(param: str, reason: str) -> ApiError:
    return ApiError(400, f"{param}: {reason}", code="invalid_value", param=param)


def _written(one: Writing, law: Literal["greedy", "model"]) -> Written:
    claims = Claims(
        guarantee="exact",
        law=law,
        sampler="greedy" if law == "greedy" else "ancestral",
        attempts=1,
        target_forwards=one.forwards,
        draft_forwards=0,
        logprob=finite(one.logprob),
    )
    assert one.finish is not None
    return Written(one.text, len(one.token_ids), one.finish, claims, one.scores)


def model_checked(server: Server, model: str) -> None:
    """Refuse a model that the server does not have.

    Parameters
    ----------
    server : Server
    model : str
        As asked for.

    Raises
    ------
    ApiError
        404, in OpenAI's shape.
    """
    if model != server.model_name:
        raise ApiError(
            404,
            f"the model {model[:100]!r} does not exist; there is {server.model_name!r}",
            type="invalid_request_error",
            code="model_not_found",
            param="model",
        )
