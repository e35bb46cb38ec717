"""How much of its words an answer has in common with the reference answer: exact match, token F1 and chrF.

Exact match and token F1 are those of SQuAD: P. Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension
of Text" (EMNLP 2016), section 6.1 and its evaluation script: lower case, without punctuation and articles, words parted
by white space. chrF is that of M. Popović, "chrF: character n-gram F-score for automatic MT evaluation" (WMT 2015), as
sacrebleu computes it (six characters, beta 2), here from 0 to 1.

Both sides are written in one spelling first (`backends.matching`). Where SQuAD's script takes away what tells answers
apart, it is kept: the signs of a number (-5, 3.5, <5, 5 %, $5), C++ and C#, an article that no word follows (plan A).
A hyphen within a word parts it, as in key facts. Scripts without spaces count character by character, as in MLQA
(P. Lewis et al., ACL 2020). Accents count; which characters they are composed of does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import zip_longest

from backends.matching import NO_SPACES, matchable, plain
from evaluation.samples import Sample
from evaluation.scorers.base import AnswerToScore, Score, Scorer

_MARKS = "".join(one for one in map(chr, range(0x300, 0x1F000)) if unicodedata.category(one)[0] == "M")
_LETTER = rf"(?![_{NO_SPACES}])[\w{_MARKS}]"
_TOKEN = re.compile(
    rf"(?P<number>(?:(?<![^\W_])(?<![{_MARKS}])-)?\d++(?:[.,:/^-]\d++)*+)"
    rf"|(?P<dense>[{NO_SPACES}])"
    rf"|(?P<word>(?:{_LETTER})++(?:['.](?:{_LETTER})++)*+(?:\+\+|\#)?)"
    r"|(?P<sign>\S)"
)
_COMPARISONS = frozenset("<>≤≥=±~≈")
_ARTICLES = frozenset({"a", "an", "the"})


def tokens(text: str) -> tuple[str, ...]:
    """The words and numbers of a text as exact match and token F1 compare them; its signs where it has nothing else."""
    found = list(_TOKEN.finditer(matchable(text)))
    kept = [one for one in found if one.lastgroup != "sign" or _counts(one)]
    words = tuple(_word(one) for one, after in zip_longest(kept, kept[1:]) if not (after and _is_article(one)))
    return words or tuple(one[0] for one in found)


def _is_article(one: re.Match[str]) -> bool:
    """Whether it is an article, where another word follows; not so behind a number: flat 3a."""
    return one[0] in _ARTICLES and not one.string[: one.start()][-1:].isdigit()


def _word(one: re.Match[str]) -> str:
    """A token; a word without the signs within it: u.s. and us, don't and dont are the same."""
    return one[0].replace("'", "").replace(".", "") if one.lastgroup == "word" else one[0]


def _counts(sign: re.Match[str]) -> bool:
    """Whether a sign says something: of money, per cent, degrees, or a comparison in front of a number."""
    one = sign[0]
    if one == "%" or one == "\u00b0" or unicodedata.category(one) == "Sc":
        return True
    return one in _COMPARISONS and sign.string[sign.end() :].lstrip()[:1].isdigit()


def exact_match(answer: str, reference: str) -> bool:
    """Whether both are the same words and numbers in the same order."""
    return tokens(answer) == tokens(reference)


def token_f1(answer: str, reference: str) -> float:
    """The harmonic mean of precision and recall of words and numbers, in any order, 0 to 1; 1 if both have none."""
    mine, wanted = Counter(tokens(answer)), Counter(tokens(reference))
    if not mine or not wanted:
        return float(mine == wanted)
    both = (mine & wanted).total()
    return 2 * both / (mine.total() + wanted.total())


def chrf(answer: str, reference: str) -> float:
    """The F-score of runs of one to six characters, case and order included, 0 to 1."""
    from sacrebleu import sentence_chrf

    mine, wanted = plain(answer).strip(), plain(reference).strip()
    if not mine or not wanted:
        return float(mine == wanted)
    return float(sentence_chrf(mine, [wanted]).score) / 100


def _exact(answer: AnswerToScore, sample: Sample) -> Score:
    return Score(exact_match(answer.text, sample.reference_answer))


def _f1(answer: AnswerToScore, sample: Sample) -> Score:
    return Score(token_f1(answer.text, sample.reference_answer))


def _chrf(answer: AnswerToScore, sample: Sample) -> Score:
    return Score(chrf(answer.text, sample.reference_answer))


SCORER = [
    Scorer("exact_match", "Exact match", _exact, needs=("reference_answer",), scores_errors=True, runs_only=True),
    Scorer("token_f1", "Token F1", _f1, needs=("reference_answer",), scores_errors=True, runs_only=True),
    Scorer("chrf", "chrF", _chrf, needs=("reference_answer",), scores_errors=True, runs_only=True),
]
