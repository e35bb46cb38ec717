"""OpenAI-compatible providers that are known by name: address, usual key variable, documentation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

OPENAI_URL = "https://api.openai.com/v1"

CHECKED = date(2026, 11, 23)
"""When the addresses below were last compared with each provider's documentation."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. `base_url` is None where every account has an address of its own; `key_variable` None: no key."""

    name: str
    title: str
    base_url: str | None
    key_variable: str | None
    documentation: str
    on_this_machine: bool = False
    note: str = ""
    price_url: str | None = None
    """Under which address genai-prices lists this provider, where that differs from `base_url`."""


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("openai", "OpenAI", OPENAI_URL, "OPENAI_API_KEY", "https://platform.openai.com/docs/api-reference"),
        Provider(
            "azure",
            "Azure OpenAI (v1)",
            None,
            "AZURE_OPENAI_API_KEY",
            "https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
            note="The base URL is https://YOUR-RESOURCE.openai.azure.com/openai/v1; the model is your deployment.",
        ),
        Provider(
            "openrouter",
            "OpenRouter",
            "https://openrouter.ai/api/v1",
            "OPENROUTER_API_KEY",
            "https://openrouter.ai/docs/quickstart",
        ),
        Provider(
            "groq", "Groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "https://console.groq.com/docs/openai"
        ),
        Provider(
            "together",
            "Together AI",
            "https://api.together.ai/v1",
            "TOGETHER_API_KEY",
            "https://docs.together.ai/docs/inference/openai-compatibility",
            price_url="https://api.together.xyz/v1",
        ),
        Provider("mistral", "Mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", "https://docs.mistral.ai/api"),
        Provider(
            "gemini",
            "Gemini (OpenAI-compatible)",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GEMINI_API_KEY",
            "https://ai.google.dev/gemini-api/docs/openai",
        ),
        Provider(
            "anthropic",
            "Anthropic (OpenAI-compatible)",
            "https://api.anthropic.com/v1",
            "ANTHROPIC_API_KEY",
            "https://platform.claude.com/docs/en/cli-sdks-libraries/libraries/openai-sdk",
            note="Made by Anthropic for testing and comparing models, not for production.",
        ),
        Provider(
            "ollama",
            "Ollama",
            "http://localhost:11434/v1",
            None,
            "https://docs.ollama.com/api/openai-compatibility",
            on_this_machine=True,
        ),
        Provider(
            "vllm",
            "vLLM",
            "http://localhost:8000/v1",
            None,
            "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
            on_this_machine=True,
        ),
        Provider(
            "lmstudio",
            "LM Studio",
            "http://localhost:1234/v1",
            None,
            "https://lmstudio.ai/docs/developer/openai-compat",
            on_this_machine=True,
        ),
        Provider(
            "llamacpp",
            "llama.cpp",
            "http://localhost:8080/v1",
            None,
            "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
            on_this_machine=True,
        ),
    )
}
