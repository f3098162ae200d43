"""Full text: words of a text, whether it contains some, and how well it matches (BM25).

A text is cut into words of letters and digits without regard to case. A text's length counts no stop words, which is
what the service's recorded ranks show; a phrase finds them still. Stemming, which the service does by language, and
stop words of languages other than English are not built.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from emulators.cosmos.sql.functions.signatures import Registry
from emulators.cosmos.sql.functions.stop_words import STOP_WORDS
from emulators.cosmos.sql.values import UNDEFINED, Value, is_number, number

FUNCTIONS = define = Registry()

_WORD = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"(?P<number>\d+(?:[.,]\d+)*)(?!\w)|[^\W_]+(?:-[^\W_]+)*")
_SATURATION = 1.2
_LENGTH_WEIGHT = 0.75
"""BM25's usual k1 and b; the service names the method and not its constants."""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.lower())


def length_of(text: str) -> int:
    """The length of a text in BM25: its words but the stop words, numbers and hyphenated words once more.

    So Microsoft's word breaker for English has them (1833 is also nn1833, a well-known word also its parts), and only
    so do texts get the order of the service's recorded ranks.
    """
    length = 0
    for piece in _PIECE.finditer(text.lower()):
        parts = piece.group().split("-")
        length += sum(part not in STOP_WORDS for part in parts) + (len(parts) > 1 or piece.lastgroup == "number")
    return length


def _occurrences(words: Sequence[str], phrase: Sequence[str]) -> int:
    width = len(phrase)
    if not width:
        return 0
    return sum(list(words[at : at + width]) == list(phrase) for at in range(len(words) - width + 1))


def _contains(words: Sequence[str], phrase: str) -> bool:
    return _occurrences(words, words_of(phrase)) > 0


@define("FullTextContains", "string string")
def full_text_contains(text: str, phrase: str) -> bool:
    """Whether the words of the phrase follow each other in the text."""
    return _contains(words_of(text), phrase)


@define("FullTextContainsAll", "string string+")
def full_text_contains_all(text: str, *phrases: str) -> bool:
    """Whether all of the phrases occur."""
    words = words_of(text)
    return all(_contains(words, phrase) for phrase in phrases)


@define("FullTextContainsAny", "string string+")
def full_text_contains_any(text: str, *phrases: str) -> bool:
    """Whether one of the phrases occurs."""
    words = words_of(text)
    return any(_contains(words, phrase) for phrase in phrases)


@define("_FullTextWordCount", "string")
def word_count(text: str) -> int:
    """How many words: the planner's own, for its statistics."""
    return length_of(text)


@define("_FullTextScore", "string array number number array")
def full_text_score(text: str, phrases: list[Value], documents: float, all_words: float, hits: list[Value]) -> Value:
    """BM25 of a text, given the statistics of all texts: documents, words, and documents that hold each phrase."""
    counts = [documents, all_words, *hits]
    if len(phrases) != len(hits) or documents == 0 or not all(is_number(each) and each >= 0 for each in counts):
        return UNDEFINED
    words = words_of(text)
    length, average = length_of(text), all_words / documents or 1.0
    score = 0.0
    for phrase, hit in zip(phrases, hits, strict=True):
        count = _occurrences(words, words_of(phrase)) if isinstance(phrase, str) else 0
        rarity = math.log(1 + max(documents - hit + 0.5, 0.5) / (hit + 0.5))
        damping = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * length / average)
        score += rarity * count * (_SATURATION + 1) / (count + damping)
    return number(score)
