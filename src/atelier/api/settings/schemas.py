"""The wire of owners' own provider keys: written, never read."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

FIELDS = {
    "stable_horde": "stable_horde_api_key",
    "hugging_face": "hugging_face_api_token",
    "stability_ai": "stability_ai_api_key",
    "gemini": "gemini_api_key",
    "openai": "openai_api_key",
    "anthropic": "anthropic_api_key",
}
"""What a vendor's key is called on the wire."""

SHAPES = {
    "stable_horde_api_key": (r"[A-Za-z0-9_-]{10,64}", "is 10 to 64 letters, digits, hyphens and underscores"),
    "hugging_face_api_token": (r"hf_[A-Za-z0-9]{20,120}", "is hf_ and 20 to 120 letters and digits"),
    "stability_ai_api_key": (r"sk-[A-Za-z0-9]{20,120}", "is sk- and 20 to 120 letters and digits"),
    "gemini_api_key": (r"[A-Za-z0-9._-]{30,200}", "is 30 to 200 letters, digits, dots, hyphens and underscores"),
    "openai_api_key": (
        r"sk-(?!ant-)[A-Za-z0-9_-]{20,300}",
        "is sk- and 20 to 300 letters, digits, hyphens and underscores; one that begins with sk-ant- is Anthropic's",
    ),
    "anthropic_api_key": (
        r"sk-ant-[A-Za-z0-9_-]{20,300}",
        "is sk-ant- and 20 to 300 letters, digits, hyphens and underscores",
    ),
}
"""What keys look like. Lengths are generous: vendors change them, and only a call tells whether a key is one."""


class KeysRequest(BaseModel):
    """Keys to keep: one that is left out or blank stays as it is, null removes it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"stable_horde_api_key": "your-key-of-Stable-Horde"}]})

    stable_horde_api_key: SecretStr | None = None
    hugging_face_api_token: SecretStr | None = None
    stability_ai_api_key: SecretStr | None = None
    gemini_api_key: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None

    @field_validator("*")
    @classmethod
    def _plausible(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Take a key as people paste it, blanks around it and all; what is wrong with it is said without it."""
        text = key.get_secret_value().strip() if key is not None else None
        pattern, sentence = SHAPES[info.field_name or ""]
        if text and not re.fullmatch(pattern, text):
            raise ValueError(f"Such a key {sentence}.")
        return SecretStr(text) if text is not None else None

    def changes(self) -> dict[str, str | None]:
        """Return what is to change, by vendor."""
        given = {vendor: getattr(self, name) for vendor, name in FIELDS.items() if name in self.model_fields_set}
        texts = {vendor: key.get_secret_value() if key is not None else None for vendor, key in given.items()}
        return {vendor: text for vendor, text in texts.items() if text != ""}


class KeysView(BaseModel):
    """Which keys are set. One that cannot be brought here and is not set is left out."""

    stable_horde_api_key: bool | None = Field(None, description="Whether a key of Stable Horde is kept.")
    hugging_face_api_token: bool | None = Field(None, description="Whether a token of Hugging Face is kept.")
    stability_ai_api_key: bool | None = Field(None, description="Whether a key of Stability AI is kept.")
    gemini_api_key: bool | None = Field(None, description="Whether a key of Gemini is kept.")
    openai_api_key: bool | None = Field(None, description="Whether a key of OpenAI is kept.")
    anthropic_api_key: bool | None = Field(None, description="Whether a key of Anthropic is kept.")
