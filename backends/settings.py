"""Every setting, from defaults, `.env`, the environment and `--set KEY=VALUE`, in that order.

Environment names are `CROSSROADS_` plus the dotted name with `__` for the dot:
`raw.model` is `CROSSROADS_RAW__MODEL`. Which address a key goes to says `backends.setting_sources`.
"""

from __future__ import annotations

import difflib
import os
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from backends.base import Question
from backends.errors import BackendError
from backends.remote.connection import header_fault
from backends.remote.connection_settings import (
    ConnectionSettings,
    ManualPrice,
    Section,
    check_name,
    name_in,
    named,
    parsed,
)
from backends.remote.providers import OPENAI_URL as OPENAI_URL
from backends.setting_sources import merged, sources_of
from backends.storage import strict_json

DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
DEFAULT_EMBEDDER = "sentence-transformers/all-MiniLM-L6-v2"

STARTED_WITH = "CROSSROADS_OVERRIDES"
"""The variable through which `crossroads demo` hands its `--set` to the browser app, as JSON. Overrides stay overrides:
as variables of the environment, an address among them would get the key that was configured there for another one.
"""

RetrievalMode = Literal["dense", "keyword", "fused", "sentences", "reranked"]
"""How passages are found and put in order."""


def _parted(value: object) -> object:
    return tuple(part.strip() for part in value.split(";") if part.strip()) if isinstance(value, str) else value


Several = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parted)]
"""Some texts; where they are given as one, a semicolon parts them."""


class RawSettings(Section):
    """The raw Hub model: `model` is a Hub id or a local folder, `device` auto, cpu, cuda or mps."""

    model: str = DEFAULT_MODEL
    revision: str | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class FineTunedSettings(Section):
    """The adapter that answers: a folder, or a name under the data folder's `adapters/` or `sample_docs/adapter`.

    With `base_url`, a server that serves the merged model answers in its place. `api_key` belongs to that address.
    """

    adapter: str = "brambleworth"
    answers_per_training: int = Field(default=10_000, ge=1, description="answers over which training cost is spread")
    merge: bool = Field(default=True, description="merge the adapter into weights of its own, where there is room")
    any_base_name: bool = Field(
        default=False, description="use an adapter although its base is named otherwise, if shapes and tokenizer fit"
    )
    base_url: str | None = None
    served_model: str | None = Field(default=None, description="the model's name on that server")
    served_adapter: str | None = Field(default=None, description="the adapter that the server is said to serve")
    api_key: SecretStr | None = None
    allow_private: bool = Field(default=False, description="that server may have an address of a private network")
    deadline_s: float = Field(default=120.0, gt=0, description="wall-clock limit for a served answer")
    price: ManualPrice | None = Field(default=None, description="what that server charges; counts towards the budget")


class PaidApiSettings(ConnectionSettings):
    """The paid model: the connection without a name."""

    model: str = "gpt-4.1-mini"
    stand_in: bool = Field(
        default=False, description="without a key, let a model of this machine stand in; `crossroads demo` does"
    )


class BudgetSettings(Section):
    """What may be spent on priced servers, in USD; None is no cap. Checked before each question with its worst case."""

    per_run_usd: Decimal | None = Field(default=None, ge=0, description="one comparison, or one evaluation run")
    per_day_usd: Decimal | None = Field(default=None, ge=0, description="all sessions together, from midnight UTC")
    allow_unknown: bool = Field(default=False, description="with a cap, also ask models whose price is not known")


class StoreSettings(Section):
    """Where evaluation runs are kept: SQLite in the data folder, or PostgreSQL by `url`, which may hold a password."""

    url: SecretStr | None = Field(default=None, description="postgresql://USER:PASSWORD@HOST/DATABASE")
    keep_texts: bool = Field(
        default=True, description="keep the texts of questions, answers and passages, not only what was measured"
    )


class ThroughputSettings(Section):
    """How much is done at once in evaluation runs for throughput, whose local answers have no times of their own."""

    batch: int = Field(
        default=16, ge=1, le=256, description="questions that a local model answers at once, as far as memory allows"
    )
    workers: int = Field(default=2, ge=1, le=64, description="workers of a run that is executed on Ray")


RUBRIC = (
    "You judge whether an answer to a question is right, by a reference answer. "
    "An answer is right if it states what the reference states, in whatever words; what the reference says in passing "
    "may be missing. Extra detail does not make a right answer wrong, unless it is false or contradicts the reference. "
    "An answer is wrong if it states something else, states the opposite beside it, or leaves open which of several "
    "answers holds. An answer that says it does not know is right only where the reference says that nobody can know."
)
"""What the judge goes by unless `judge.rubric` says otherwise."""

PAIRWISE_RUBRIC = (
    "You compare two answers to the same question, and say which of them serves the person who asked better. "
    "An answer that is right comes before one that is wrong; the reference answer, where there is one, says what is "
    "right. Between two right answers prefer the one that is clearer and to the point. Extra detail is no merit by "
    "itself, and no fault unless it is false, or hides the answer. Neither length nor the order in which the answers "
    "are shown counts. If neither is better, say so."
)
"""What the judge goes by where it compares two answers, unless `judge.pairwise_rubric` says otherwise."""


class JudgeSettings(Section):
    """A model that judges the answers of evaluation runs: who, and by which rubric. What it costs counts as well."""

    connection: str = Field(
        default="", description="who judges: paid_api, paid_api:NAME or another approach with a model; nobody if empty"
    )
    rubric: str = Field(default=RUBRIC, min_length=1, description="what the judge goes by")
    pairwise: bool = Field(
        default=False, description="it also compares the answers of each two approaches, in both orders"
    )
    pairwise_rubric: str = Field(
        default=PAIRWISE_RUBRIC, min_length=1, description="what it goes by where it compares two answers"
    )
    max_tokens: int = Field(default=512, ge=1, le=32_000, description="tokens that a verdict may have")

    @field_validator("connection")
    @classmethod
    def _a_model(cls, value: str) -> str:
        from backends.registry import is_known, spec_of

        if value.strip() and (not is_known(value) or not spec_of(value).writes):
            raise ValueError("it is paid_api, paid_api:NAME or another approach with a model, or empty")
        return value.strip()


QUOTE = "quote"
"""The writer of RAG without a model: the best sentences word for word."""


class RagSettings(Section):
    """Retrieval: which collection, how it is searched, how many passages, and which approach writes the answer.

    `mode`, `keyword_weight`, `merge_above` and `min_score` are what measured best (`python -m benchmarks retrieval`).
    """

    collection: str = "handbook"
    k: int = Field(default=3, ge=1, le=50, description="passages for an answer")
    mode: RetrievalMode = Field(
        default="sentences",
        description="by meaning (dense), by words (keyword), both (fused), fused and then by each passage's best "
        "sentence (sentences), or fused and then reranked",
    )
    keyword_weight: float = Field(
        default=0.25, ge=0, le=10, description="what the best keyword match adds to its cosine similarity, in fused"
    )
    candidates: int = Field(default=50, ge=1, le=1000, description="chunks that each way of searching puts forward")
    merge_above: float = Field(
        default=0.95, ge=0, le=1, description="cosine similarity from which passages with equal figures are merged"
    )
    reranker: str | None = Field(default=None, description="cross-encoder: a Hub id or a local folder; none if empty")
    judge: bool = Field(
        default=True, description="let a small network judge which sentences answer; it was trained on English"
    )
    min_score: float = Field(
        default=0.03,
        ge=-1,
        le=1,
        description="what the best sentence must reach, or nothing counts: the chance that it answers, as judged; "
        "without judge, its score",
    )
    answer_anyway: bool = Field(
        default=False, description="answer also where nothing reaches min_score; the answer is labelled so"
    )
    documents: Several = Field(default=(), description="only these documents are searched, by name; all if empty")
    formats: Several = Field(default=(), description="only documents of these formats are searched: pdf, csv, ...")
    languages: Several = Field(default=(), description="only documents in these languages are searched: en, de, ...")
    embedder: str = DEFAULT_EMBEDDER
    generator: str = Field(
        default="raw",
        description="who writes: raw, fine_tuned, paid_api or paid_api:NAME; or quote, which has no model",
    )
    adapter: str | None = Field(
        default=None, description="the adapter with which fine_tuned writes here; the fine-tuned column's own if empty"
    )
    context: Literal["auto", "passages", "sentences"] = Field(
        default="auto", description="what the writer reads; auto: sentences below a billion parameters"
    )
    sentences: int = Field(default=5, ge=1, le=50, description="sentences for an answer, where the writer reads these")
    unsupported: Literal["auto", "show", "quote", "refuse"] = Field(
        default="auto",
        description="what becomes of an answer without support in the passages; auto: quote below a billion parameters",
    )
    chunk_tokens: int = Field(default=128, ge=32, le=2000)
    overlap_tokens: int = Field(default=32, ge=0, le=500)
    max_file_mb: float = Field(default=25, gt=0)
    chroma_url: str | None = None
    chroma_allow_private: bool = Field(
        default=False, description="that Chroma server may have an address of a private network"
    )
    chroma_api_key: SecretStr | None = Field(default=None, description="the token that the Chroma server wants")
    chroma_headers: Annotated[dict[str, SecretStr], BeforeValidator(parsed)] = Field(
        default={}, description="as JSON: headers that the Chroma server, or a proxy before it, wants"
    )
    _withheld: str = PrivateAttr(default="")

    @property
    def chroma_withheld(self) -> str:
        """In a sentence, which secrets are not sent to the Chroma server; or nothing."""
        return self._withheld

    @field_validator("chroma_headers")
    @classmethod
    def _can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, content in value.items():
            if why := header_fault(name, content.get_secret_value(), may_log_in=True):
                raise ValueError(why)
        return value

    @field_validator("generator")
    @classmethod
    def _a_writer(cls, value: str) -> str:
        from backends.registry import is_known, spec_of, specs

        if value != QUOTE and (not is_known(value) or not spec_of(value).writes):
            known = [f"{spec.id} or {spec.id}:NAME" if spec.variants else spec.id for spec in specs() if spec.writes]
            known.append(QUOTE)
            raise ValueError(f"it is one of {', '.join(known)}")
        return value


_Kind = TypeVar("_Kind", bound=BaseModel)


class Settings(BaseSettings):
    """All settings of one call, immutable. Use `load_settings` to make them."""

    model_config = SettingsConfigDict(
        env_prefix="CROSSROADS_", env_nested_delimiter="__", env_file=".env", extra="ignore", frozen=True
    )

    data: Path = Path("data")
    scripted: bool = Field(default=False, description="answer from a script instead of models, to try the screens")
    system_prompt: str = "You are a helpful assistant. Answer in one or two short sentences."
    max_tokens: int = Field(default=160, ge=1, le=32_000)
    temperature: float = Field(default=0.0, ge=0, le=2)
    seed: int = 0
    machine_usd_per_hour: Decimal = Field(default=Decimal("0.10"), ge=0)
    raw: RawSettings = RawSettings()
    fine_tuned: FineTunedSettings = FineTunedSettings()
    paid_api: PaidApiSettings = PaidApiSettings()
    connections: dict[str, ConnectionSettings] = Field(default={}, description="more servers, by name")
    rag: RagSettings = RagSettings()
    budget: BudgetSettings = BudgetSettings()
    store: StoreSettings = StoreSettings()
    judge: JudgeSettings = JudgeSettings()
    throughput: ThroughputSettings = ThroughputSettings()
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(default=None, validation_alias="OPENAI_BASE_URL")
    _withheld: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `load_settings` has read the other sources, one by one."""
        return (init_settings,)

    def withheld(self, section: str) -> str:
        """In a sentence, which secrets a section goes without because they belong to another address; or nothing."""
        return self._withheld.get(section, "")

    def section(self, kind: type[_Kind]) -> _Kind:
        """The section of an approach that brings its own settings, by the model of these settings.

        Raises `LookupError` for a model that no approach names in its `ApproachSpec`.
        """
        for _, section in self:
            if isinstance(section, kind):
                return section
        raise LookupError(f"no approach has the settings {kind.__name__}")

    def question(self, text: str) -> Question:
        """The question with this call's generation settings, as a run of its own."""
        return Question(text, self.system_prompt, self.max_tokens, self.temperature, self.seed, uuid.uuid4().hex)


def load_settings(
    overrides: Mapping[str, object] | None = None, session: Mapping[str, object] | None = None
) -> Settings:
    """The settings in force, with dotted names replaced (`{"rag.k": "3"}`): first those of `--set`, then a session's.

    Raises `BackendError` naming the setting that does not exist or was refused.
    """
    overrides_by_source = {"--set": overrides or {}, "this browser session": session or {}}
    for names in overrides_by_source.values():
        for name in names:
            _check_name(name)
    try:
        kind = _with_added_sections()
        values, withheld = merged(sources_of(kind, overrides_by_source), kind)
        settings = kind(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BackendError(f"The setting {name} was refused: {first['msg']}.", "Give it another value.") from None
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BackendError(f"The file .env cannot be read: {why}.", "Correct, rename or remove it.") from None
    except RecursionError:
        raise BackendError("A variable of the environment or of .env is nested too deeply.", "Correct it.") from None
    except SettingsError as error:
        raise BackendError(f"The environment or .env is not usable: {error}.", "Give it as NAME__KEY=VALUE.") from None
    settings._withheld.update(withheld)
    settings.rag._withheld = withheld.get("rag", "")
    for name in settings.connections:
        check_name(name)
    if writer := name_in(settings.rag.generator):
        named(writer, settings.paid_api, settings.connections)
    return settings


def started_with() -> dict[str, object]:
    """What `--set` was given when the browser app was started; raises `BackendError` if it cannot be read."""
    try:
        found = strict_json.an_object(os.environ.get(STARTED_WITH, "{}"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BackendError(f"The variable {STARTED_WITH} is not JSON of settings.", "Unset it; `--set` writes it.")
    return found


def setting_names() -> tuple[str, ...]:
    """Every dotted name that `--set` takes; NAME stands for the name of a connection."""
    return tuple(name for name, _ in _fields(_with_added_sections()))


def is_secret(name: str) -> bool:
    """Whether the setting of that dotted name holds a secret; what is not known may well be one."""
    kinds = dict(_fields(_with_added_sections()))
    kind = kinds.get(_general(name), SecretStr)
    return kind is SecretStr or any(SecretStr in (one, *get_args(one)) for one in get_args(kind))


def _general(name: str) -> str:
    """`connections.NAME.model` for `connections.own.model`; any other name as it is."""
    section, _, rest = name.partition(".")
    return f"connections.NAME.{rest.partition('.')[2]}" if section == "connections" and "." in rest else name


def _with_added_sections() -> type[Settings]:
    """`Settings` with a section for each approach that brings one: `settings.shout.loudness`."""
    from backends.registry import specs

    added = {spec.id: (spec.section, spec.section()) for spec in specs() if spec.section is not None}
    if not added:
        return Settings
    return create_model("Settings", __base__=Settings, **cast(Any, added))


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted name and the type of every setting."""
    for name, info in model.model_fields.items():
        kinds = [info.annotation, *get_args(info.annotation)]
        nested = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if name.startswith("openai_"):
            continue
        if name == "connections":
            yield from _fields(ConnectionSettings, "connections.NAME.")
        elif nested:
            yield from _fields(nested, f"{prefix}{name}.")
        else:
            yield prefix + name, info.annotation


def _check_name(name: str) -> None:
    names = setting_names()
    general = _general(name)
    if general != name:
        check_name(name.split(".")[1])
    if general not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {close[0]}?" if close else "The names are: " + ", ".join(names) + "."
        raise BackendError(f"There is no setting called {name!r}.", hint)
