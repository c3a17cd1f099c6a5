"""Sentences in other people's texts that read like instructions to a model, and characters that nobody sees."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from atelier.pipelines.blog import words

MOST: Final = 20
LONGEST: Final = 300
"""Of what was taken out, so many pieces are kept to be shown, each of so many characters."""

_TAGS = range(0xE0000, 0xE0080)
"""Unicode's tag characters: ASCII that is not shown."""

_UNSEEN = {
    ord(each): None
    for each in "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
} | dict.fromkeys(_TAGS)
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t\x85"}
_TAGGED = re.compile("[\U000e0020-\U000e007e]{4,}")

_OLD = r"(?:previous|prior|above|earlier|preceding|existing|original|former|your|these|those|the|any|all|other|every|following|system)"
_ORDERS = r"(?:instructions?|prompts?|directions?|directives?|guidelines?|rules|commands?|guardrails?|constraints?|programming)"
_MODEL = r"(?:ai|a\.i\.|llms?|gpt|chatgpt|claude|gemini|copilot|(?:large )?language models?|ai (?:assistants?|models?|agents?)|chatbots?|assistants?)"
_PATTERNS = (
    rf"\b(?:ignor\w*|disregard\w*|forget\w*|overrid\w*|bypass\w*|skip|discard|do not follow|don't follow|stop following)\b[^.!?]{{0,40}}?\b{_OLD}\b[^.!?]{{0,40}}?\b{_ORDERS}\b",
    r"\b(?:ignore|disregard|forget)\b[^.!?]{0,20}\b(?:everything|anything|all|what)\b[^.!?]{0,30}\b(?:above|before|so far|previous(?:ly)?|said|told|learned|know)\b",
    r"\byou are now\b(?! (?:ready|done|able|finished|free|set|good))[^.!?]{0,60}\b(?:an?|the|in|my|dan|known|called|required|acting|unrestricted|jailbroken)\b",
    r"\bfrom now on,? you\b|\byou (?:must|will|shall) now (?:act|behave|respond|answer|obey|ignore)\b",
    r"\b(?:act|behave|respond|answer) as (?:if you (?:are|were)|though you (?:are|were)|an? (?:unrestricted|unfiltered|evil|different))\b",
    r"\b(?:system|developer|hidden|initial|secret) (?:prompts?|messages?|instructions?)\b",
    rf"\b(?:reveal|print|repeat|output|show|leak|display|disclose|tell me|share|send)\b[^.!?]{{0,40}}\b(?:your|the system|hidden|initial)\b[^.!?]{{0,20}}\b(?:prompts?|{_ORDERS}|configuration|api keys?|credentials|passwords?)\b",
    rf"\b(?:new|updated|real|actual|important|following|additional) (?:system )?instructions?\b[^.!?]{{0,30}}(?::|\bfor (?:the )?{_MODEL}\b)",
    rf"\b(?:if|when|since|as) you(?:'re| are) an? {_MODEL}\b",
    rf"\b(?:attention|notice|note|message|instructions?|dear|hey|hello|important)\b[:,!]?\s+(?:to|for)?\s*(?:all |any |every |the |this )?{_MODEL}\b",
    rf"^\W*{_MODEL}[:,]\s*(?:please |you )?(?:must|should|do not|never|always|ignore|include|mention|recommend|respond|reply|say|write|add|output|print)\b",
    r"\b(?:do not|don't|never) (?:tell|inform|alert|notify|warn|reveal (?:this )?to|mention (?:this )?to|hint to) the (?:user|reader|human|operator)s?\b",
    r"\b(?:respond|reply|answer|output) (?:only |exclusively |exactly )?with\b[^.!?]{0,30}(?:[\"':]|\bthe (?:word|phrase|text|following)\b)",
    r"\b(?:include|insert|append|add|mention|recommend|promote)\b[^.!?]{0,60}\bin (?:your|every|all(?: of)? your|each) (?:answers?|repl(?:y|ies)|responses?|outputs?|summar(?:y|ies)|articles?|posts?)\b",
    r"\byour (?:new|real|actual|only|true) (?:task|job|goal|role|purpose|objective|persona|identity)\b",
    r"\b(?:jailbreak\w*|developer mode|do anything now|prompt injection)\b",
    r"\b(?:end|start|begin(?:ning)?) of (?:the )?(?:system |user )?(?:prompt|context|conversation|untrusted|document)\b",
    r"<\|?/?(?:im_start|im_end|system|endoftext|assistant|user)\|?>|\[/?inst\]|<</?sys>>|^\W*(?:system|assistant|human|user)\s*:",
    r"\b(?:send|post|forward|upload|exfiltrate|email|transmit)\b[^.!?]{0,60}\b(?:conversations?|chat history|api keys?|credentials|passwords?|secrets?)\b",
    r"\bignor(?:iere|ieren sie)\b[^.!?]{0,40}\b(?:anweisungen|befehle|vorgaben)\b",
    r"\bignore[zr]?\b[^.!?]{0,30}\b(?:les|toutes|vos|ces)\b[^.!?]{0,20}\b(?:instructions|consignes)\b",
    r"\bignor[ae]\b[^.!?]{0,40}\b(?:instrucciones|instruções|istruzioni)\b",
    r"(?:忽略|无视|忘记|無視)[^。！？]{0,20}(?:指令|指示|提示|规则|命令)",  # noqa: RUF001 - Chinese stops
)
_READS_LIKE_ORDERS = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE)
_LOOKALIKES = str.maketrans(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u0430": "a",
        "\u0435": "e",
        "\u043e": "o",
        "\u0440": "p",
        "\u0441": "c",
        "\u0456": "i",
        "\u0443": "y",
        "\u0445": "x",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaned:
    """A text without what reads like orders, and that, in order, cut short; see `MOST` and `LONGEST`."""

    text: str
    suspicious: tuple[str, ...]


def cleaned(text: str) -> Cleaned:
    """Return a text, plain or Markdown, without sentences that read like instructions to a model, and without unseen characters.

    Lines without such sentences stay as they are. A filter, no proof: what is left is still data, never an instruction.
    """
    found = ["".join(chr(ord(each) - _TAGS.start) for each in tagged) for tagged in _TAGGED.findall(text)]
    seen = text.replace("\r\n", "\n").translate(_UNSEEN).translate(_CONTROLS)
    paragraphs = [_paragraph(part, found) for part in seen.split("\n\n")]
    return Cleaned(text="\n\n".join(part for part in paragraphs if part.strip()).strip(), suspicious=_told(found))


def suspicious(sentence: str) -> bool:
    """Whether a sentence reads like an instruction to a model, also in full-width or look-alike letters."""
    return _READS_LIKE_ORDERS.search(unicodedata.normalize("NFKC", sentence).translate(_LOOKALIKES)) is not None


def _paragraph(part: str, found: list[str]) -> str:
    kept = [line for line in (_line(each, found) for each in part.split("\n")) if line is not None]
    for at in range(len(kept) - 1):
        pair = f"{kept[at]} {kept[at + 1]}".strip()
        if suspicious(pair):
            found.append(pair)
            kept[at] = kept[at + 1] = ""
    left = "\n".join(line for line in kept if line)
    if suspicious(" ".join(left.split())):
        found.append(" ".join(left.split()))
        return ""
    return left


def _line(line: str, found: list[str]) -> str | None:
    """Return a line without suspicious sentences; None where nothing of it is left."""
    if not suspicious(line):
        return line
    return " ".join(_kept(line, found)) or None


def _kept(text: str, found: list[str]) -> list[str]:
    """Return the sentences that are harmless; where only all together are not, none is."""
    kept: list[str] = []
    for sentence in words.sentences(text):
        (found if suspicious(sentence) else kept).append(sentence)
    if suspicious(" ".join(kept)):
        found.append(" ".join(kept))
        return []
    return kept


def _told(found: list[str]) -> tuple[str, ...]:
    unique = dict.fromkeys(each if len(each) <= LONGEST else each[: LONGEST - 1] + "…" for each in found)
    return tuple(unique)[:MOST]
