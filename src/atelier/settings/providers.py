"""The settings of the vendors who draw, write and search: key, address, model, patience, prices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr

from atelier.settings.groups import Group, Seconds

Dollars = Annotated[float, Field(ge=0, le=100)]
TokenDollars = Annotated[float, Field(ge=0, le=100_000)] | None


def sendable(key: SecretStr | None) -> SecretStr | None:
    """Take a key as people paste it: blanks around it fall away, blanks alone are none. Refuse what no header can carry."""
    text = key.get_secret_value().strip() if key is not None else ""
    if not text:
        return None
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key is printable ASCII characters without blanks")
    return SecretStr(text)


Key = Annotated[SecretStr | None, AfterValidator(sendable)]
Model = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:()/+-]{0,199}$|^$")]
Path = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$|^$")]
"""A model's name that stands in an address."""

LocalModel = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A directory, or a name on a hub."""


class StabilitySettings(Group):
    """Stability AI."""

    api_key: Key = Field(None, description="Key of Stability AI; empty: STABILITY_API_KEY.")
    base_url: AnyHttpUrl = Field(AnyHttpUrl("https://api.stability.ai"), description="Where Stability AI is.")
    model: Literal["", "core", "ultra", "sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3.5-flash"] = Field(
        "",
        description="What draws every quality at Stability AI; empty: sd3.5-flash, core, sd3.5-large, ultra by quality.",
    )
    timeout_seconds: Seconds = Field(
        120, description="Seconds that a call of Stability AI may take, whole answer and all."
    )


class GeminiSettings(Group):
    """Google Gemini."""

    api_key: Key = Field(None, description="Key of the Gemini API; empty: GEMINI_API_KEY.")
    base_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://generativelanguage.googleapis.com/v1beta"), description="Where Gemini is, version included."
    )
    model: Path = Field("", description="Gemini's model for pictures; empty: gemini-nano-banana-2.1.")
    text_model: Model = Field("", description="Gemini's model for texts; empty: gemini-3.8-flash.")
    timeout_seconds: Seconds = Field(180, description="Seconds that a call of Gemini may take, whole answer and all.")


class HordeSettings(Group):
    """Stable Horde."""

    api_key: Key = Field(
        None, description="Key of Stable Horde; empty: STABLE_HORDE_API_KEY, else nobody's, which waits longest."
    )
    base_url: AnyHttpUrl = Field(AnyHttpUrl("https://aihorde.net/api/v2"), description="Where Stable Horde is.")
    model: Model = Field("", description="Stable Horde's model; empty: AlbedoBase XL (SDXL).")
    timeout_seconds: Seconds = Field(
        900, description="Seconds that an order at Stable Horde may take, its queue included."
    )


class HuggingFaceSettings(Group):
    """Hugging Face."""

    api_key: Key = Field(None, description="Token of Hugging Face; empty: HF_TOKEN.")
    base_url: AnyHttpUrl = Field(
        AnyHttpUrl("https://router.huggingface.co/hf-inference"), description="Where Hugging Face's inference is."
    )
    model: Path = Field("", description="Hugging Face's model; empty: stabilityai/stable-diffusion-xl-base-1.0.")
    timeout_seconds: Seconds = Field(
        120, description="Seconds that a call of Hugging Face may take, whole answer and all."
    )
    price: Dollars = Field(
        0.01, description="US dollars that a picture of Hugging Face is counted as: it tells no price."
    )


class DiffusersSettings(Group):
    """Stable Diffusion XL on this machine."""

    model: LocalModel = Field(
        "",
        description="Base model that draws on this machine: a directory, or a name on Hugging Face's hub; empty:"
        " stabilityai/stable-diffusion-xl-base-1.0.",
    )
    refiner: LocalModel = Field(
        "",
        description="Its refiner, the same way; `none`: there is none; empty: stabilityai/stable-diffusion-xl-refiner-1.0,"
        " but none beside another base model.",
    )
    device: Annotated[str, Field(pattern=r"^$|^cpu$|^mps$|^cuda(:\d{1,2})?$")] = Field(
        "", description="What computes: cuda, cuda:1, mps or cpu; empty: the first of these that is there."
    )
    dtype: Literal["", "float16", "bfloat16", "float32"] = Field(
        "",
        description="Numbers to compute in: float16, bfloat16 or float32; empty: float16 on a GPU, float32 on a CPU.",
    )
    steps: Annotated[int, Field(ge=1, le=500)] = Field(
        50, description="Steps of a picture of high quality on this machine, base model and refiner together."
    )
    timeout_seconds: Seconds = Field(
        600, description="Seconds that drawing a picture on this machine may take once its turn has come."
    )


class OpenAISettings(Group):
    """OpenAI, or another server that speaks its protocol."""

    api_key: Key = Field(
        None, description="Key of OpenAI; empty: OPENAI_API_KEY; other servers at BASE_URL may do without."
    )
    base_url: AnyHttpUrl | None = Field(
        None,
        description="Where OpenAI is, or another server of its protocol (Ollama, vLLM, Groq …), version included; empty:"
        " OPENAI_BASE_URL, else https://api.openai.com/v1.",
    )
    model: Model = Field("", description="The model that writes there; empty: gpt-5.4-mini, at OpenAI only.")
    timeout_seconds: Seconds = Field(180, description="Seconds that a call of OpenAI may take, whole answer and all.")
    read_price: TokenDollars = Field(
        None,
        description="US dollars for a million tokens that OpenAI's model reads; empty: its list price, on this machine and"
        " in private networks 0.",
    )
    written_price: TokenDollars = Field(
        None, description="US dollars for a million tokens that OpenAI's model writes; empty: as for READ_PRICE."
    )


class AnthropicSettings(Group):
    """Anthropic."""

    api_key: Key = Field(None, description="Key of Anthropic; empty: ANTHROPIC_API_KEY.")
    base_url: AnyHttpUrl = Field(AnyHttpUrl("https://api.anthropic.com"), description="Where Anthropic is.")
    model: Model = Field("", description="Anthropic's model; empty: claude-haiku-5-5.")
    timeout_seconds: Seconds = Field(
        180, description="Seconds that a call of Anthropic may take, whole answer and all."
    )
    read_price: TokenDollars = Field(
        None, description="US dollars for a million tokens that Anthropic's model reads; empty: its list price."
    )
    written_price: TokenDollars = Field(
        None, description="US dollars for a million tokens that Anthropic's model writes; empty: its list price."
    )


class TavilySettings(Group):
    """Tavily."""

    api_key: Key = Field(None, description="Key of Tavily; empty: TAVILY_API_KEY.")
    base_url: AnyHttpUrl = Field(AnyHttpUrl("https://api.tavily.com"), description="Where Tavily is.")
    timeout_seconds: Seconds = Field(30, description="Seconds that a search of Tavily may take.")


class SearxngSettings(Group):
    """SearXNG."""

    base_url: AnyHttpUrl | None = Field(
        None, description="Where your SearXNG is; json must be in search.formats of its settings.yml."
    )
    timeout_seconds: Seconds = Field(20, description="Seconds that a search of SearXNG may take.")


class ProviderSettings(Group):
    """Every vendor."""

    stability_ai: StabilitySettings = StabilitySettings()
    gemini: GeminiSettings = GeminiSettings()
    stable_horde: HordeSettings = HordeSettings()
    hugging_face: HuggingFaceSettings = HuggingFaceSettings()
    diffusers: DiffusersSettings = DiffusersSettings()
    openai: OpenAISettings = OpenAISettings()
    anthropic: AnthropicSettings = AnthropicSettings()
    tavily: TavilySettings = TavilySettings()
    searxng: SearxngSettings = SearxngSettings()


class FetchSettings(Group):
    """What may be fetched from addresses that others name."""

    allow_private: bool = Field(
        default=False,
        description="Whether pictures and pages may be fetched from private addresses, too: for tests; refused in"
        " production.",
    )
