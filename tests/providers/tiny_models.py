"""Builds models of SDXL's shape, small and with random weights: `python tests/providers/tiny_models.py FOLDER SIDE…`.

FOLDER/SIDE/base and FOLDER/SIDE/refiner draw pictures of SIDE pixels; they are noise, but every step and tensor is real.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

WIDTH = 32
TIME = 8
GRAIN = 8
"""Pixels that one latent stands for."""


def tokenizer(folder: Path) -> CLIPTokenizer:
    """Make a tokenizer that knows single bytes only: each alone, and each at a word's end."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [code for code in range(256) if code not in printable]
    signs = [chr(code) for code in printable] + [chr(256 + number) for number in range(len(others))]
    words = [*signs, *(f"{sign}</w>" for sign in signs), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def encoder(kind: Any) -> Any:
    config = CLIPTextConfig(
        vocab_size=514, hidden_size=WIDTH, intermediate_size=37, projection_dim=WIDTH, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=77, bos_token_id=512, eos_token_id=513, pad_token_id=513,
        hidden_act="gelu",
    )  # fmt: skip
    return kind(config).eval()


def unet(side: int, *, words: int, numbers: int) -> Any:
    """`words`: how wide the text is; `numbers`: how many go in beside it, such as the picture's size."""
    return UNet2DConditionModel(
        sample_size=side // GRAIN, in_channels=4, out_channels=4, block_out_channels=(2, 4), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(1, 2), norm_num_groups=1, use_linear_projection=True, transformer_layers_per_block=(1, 1),
        addition_embed_type="text_time", addition_time_embed_dim=TIME, cross_attention_dim=words,
        projection_class_embeddings_input_dim=numbers * TIME + WIDTH,
    ).eval()  # fmt: skip


def vae(side: int) -> Any:
    down, up = ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4
    return AutoencoderKL(
        block_out_channels=(4, 4, 4, 4), in_channels=3, out_channels=3, latent_channels=4, norm_num_groups=1,
        down_block_types=down, up_block_types=up, sample_size=side,
    ).eval()  # fmt: skip


def scheduler() -> Any:
    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1
    )


def build(folder: Path, side: int) -> None:
    torch.manual_seed(7)
    words = tokenizer(folder / "words")
    first, second = encoder(CLIPTextModel), encoder(CLIPTextModelWithProjection)
    shared = {"vae": vae(side), "text_encoder_2": second, "tokenizer_2": words, "scheduler": scheduler()}
    base = StableDiffusionXLPipeline(
        **shared,
        text_encoder=first,
        tokenizer=words,
        unet=unet(side, words=2 * WIDTH, numbers=6),
        add_watermarker=False,
    )
    base.save_pretrained(folder / "base")
    refiner = StableDiffusionXLImg2ImgPipeline(
        **shared, text_encoder=None, tokenizer=None, unet=unet(side, words=WIDTH, numbers=5),
        requires_aesthetics_score=True, force_zeros_for_empty_prompt=False, add_watermarker=False,
    )  # fmt: skip
    refiner.save_pretrained(folder / "refiner")


if __name__ == "__main__":
    for side in sys.argv[2:]:
        build(Path(sys.argv[1]) / side, int(side))
