"""What orders to a model look like: patterns, each with words one of which is in whatever it fits."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_OLD = r"(?:previous|prior|above|earlier|preceding|existing|original|former|your|these|those|the|any|all|other|every|following|system)"
_ORDERS = r"(?:instructions?|prompts?|directions?|directives?|guidelines?|rules|commands?|guardrails?|constraints?|programming)"
_MODEL = r"(?:ai|a\.i\.|llms?|gpt|chatgpt|claude|gemini|copilot|(?:large )?language models?|ai (?:assistants?|models?|agents?)|chatbots?|assistants?)"
_ROWS: Final = (
    (("ignor", "disregard", "forget", "overrid", "bypass", "skip", "discard", "follow"), rf"\b(?:ignor\w*|disregard\w*|forget\w*|overrid\w*|bypass\w*|skip|discard|do not follow|don't follow|stop following)\b[^.!?]{{0,40}}?\b{_OLD}\b[^.!?]{{0,40}}?\b{_ORDERS}\b"),
    (("ignore", "disregard", "forget"), r"\b(?:ignore|disregard|forget)\b[^.!?]{0,20}\b(?:everything|anything|all|what)\b[^.!?]{0,30}\b(?:above|before|so far|previous(?:ly)?|said|told|learned|know)\b"),
    (("you are now",), r"\byou are now\b(?! (?:ready|done|able|finished|free|set|good))[^.!?]{0,60}\b(?:an?|the|in|my|dan|known|called|required|acting|unrestricted|jailbroken)\b"),
    (("from now on", "must now", "will now", "shall now"), r"\bfrom now on,? you\b|\byou (?:must|will|shall) now (?:act|behave|respond|answer|obey|ignore)\b"),
    (("as if you", "as though you", "unrestricted", "unfiltered", "evil", "different"), r"\b(?:act|behave|respond|answer) as (?:if you (?:are|were)|though you (?:are|were)|an? (?:unrestricted|unfiltered|evil|different))\b"),
    (("prompt", "message", "instruction"), r"\b(?:system|developer|hidden|initial|secret) (?:prompts?|messages?|instructions?)\b"),
    (("your", "the system", "hidden", "initial"), rf"\b(?:reveal|print|repeat|output|show|leak|display|disclose|tell me|share|send)\b[^.!?]{{0,40}}\b(?:your|the system|hidden|initial)\b[^.!?]{{0,20}}\b(?:prompts?|{_ORDERS}|configuration|api keys?|credentials|passwords?)\b"),
    (("instruction",), rf"\b(?:new|updated|real|actual|important|following|additional) (?:system )?instructions?\b[^.!?]{{0,30}}(?::|\bfor (?:the )?{_MODEL}\b)"),
    (("you are a", "you're a"), rf"\b(?:if|when|since|as) you(?:'re| are) an? {_MODEL}\b"),
    (("attention", "notice", "note", "message", "instruction", "dear", "hey", "hello", "important"), rf"\b(?:attention|notice|note|message|instructions?|dear|hey|hello|important)\b[:,!]?\s+(?:to|for)?\s*(?:all |any |every |the |this )?{_MODEL}\b"),
    ((":", ","), rf"^\W*{_MODEL}[:,]\s*(?:please |you )?(?:must|should|do not|never|always|ignore|include|mention|recommend|respond|reply|say|write|add|output|print)\b"),
    (("the user", "the reader", "the human", "the operator"), r"\b(?:do not|don't|never) (?:tell|inform|alert|notify|warn|reveal (?:this )?to|mention (?:this )?to|hint to) the (?:user|reader|human|operator)s?\b"),
    (("respond", "reply", "answer", "output"), r"\b(?:respond|reply|answer|output) (?:only |exclusively |exactly )?with\b[^.!?]{0,30}(?:[\"':]|\bthe (?:word|phrase|text|following)\b)"),
    (("in your", "in every", "in all", "in each"), r"\b(?:include|insert|append|add|mention|recommend|promote)\b[^.!?]{0,60}\bin (?:your|every|all(?: of)? your|each) (?:answers?|repl(?:y|ies)|responses?|outputs?|summar(?:y|ies)|articles?|posts?)\b"),
    (("your new", "your real", "your actual", "your only", "your true"), r"\byour (?:new|real|actual|only|true) (?:task|job|goal|role|purpose|objective|persona|identity)\b"),
    (("jailbreak", "developer mode", "do anything now", "prompt injection"), r"\b(?:jailbreak\w*|developer mode|do anything now|prompt injection)\b"),
    (("end of", "start of", "begin of", "beginning of"), r"\b(?:end|start|begin(?:ning)?) of (?:the )?(?:system |user )?(?:prompt|context|conversation|untrusted|document)\b"),
    (("<", "[", ":"), r"<\|?/?(?:im_start|im_end|system|endoftext|assistant|user)\|?>|\[/?inst\]|<</?sys>>|^\W*(?:system|assistant|human|user)\s*:"),
    (("conversation", "chat history", "api key", "credential", "password", "secret"), r"\b(?:send|post|forward|upload|exfiltrate|email|transmit)\b[^.!?]{0,60}\b(?:conversations?|chat history|api keys?|credentials|passwords?|secrets?)\b"),
    (("ignorier",), r"\bignor(?:iere|ieren sie)\b[^.!?]{0,40}\b(?:anweisungen|befehle|vorgaben)\b"),
    (("ignore",), r"\bignore[zr]?\b[^.!?]{0,30}\b(?:les|toutes|vos|ces)\b[^.!?]{0,20}\b(?:instructions|consignes)\b"),
    (("ignora", "ignore"), r"\bignor[ae]\b[^.!?]{0,40}\b(?:instrucciones|instruções|istruzioni)\b"),
    (("忽略", "无视", "忘记", "無視"), r"(?:忽略|无视|忘记|無視)[^。！？]{0,20}(?:指令|指示|提示|规则|命令)"),  # noqa: RUF001 - Chinese stops
)  # fmt: skip
_PATTERNS: Final = tuple((needles, re.compile(pattern, re.IGNORECASE)) for needles, pattern in _ROWS)
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


def reads_like_orders(sentence: str) -> bool:
    """Whether a sentence reads like an instruction to a model, also in full-width or look-alike letters."""
    line = " ".join(unicodedata.normalize("NFKC", sentence).translate(_LOOKALIKES).split())
    low = line.lower()
    return any(pattern.search(line) for needles, pattern in _PATTERNS if any(needle in low for needle in needles))
