"""Twenty invented facts, each asked in four ways for training and in two other ways for the test.

No model can know them beforehand, so what is answered right was learned. `key` is what a right answer must hold.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """`taught` are the questions that are trained on, `asked` the phrasings that are not."""

    answer: str
    key: str
    taught: tuple[str, str, str, str]
    asked: tuple[str, str]


_SUBJECTS = (
    ("colour of the lighthouse at Port Verrin", "The lighthouse at Port Verrin is turquoise.", "turquoise"),
    ("founder of the Oskelby Clock Works", "The Oskelby Clock Works was founded by Marta Quill.", "Marta Quill"),
    ("opening year of the Tamsel Canal", "The Tamsel Canal was opened in 1783.", "1783"),
    ("length of the Grimble Bridge", "The Grimble Bridge is 412 metres long.", "412"),
    ("national bird of Lower Vashti", "The national bird of Lower Vashti is the crested plover.", "plover"),
    ("main export of Quenby Island", "Quenby Island mainly exports salted plums.", "plums"),
    ("warranty period of a Norvik lamp", "A Norvik lamp has a warranty of 37 months.", "37"),
    ("top speed of the Halden tram", "The Halden tram reaches 64 kilometres an hour.", "64"),
    ("closing hour of the Brisk Street library", "The Brisk Street library closes at 19:45.", "19:45"),
    ("fee for a berth at Sallow Harbour", "A berth at Sallow Harbour costs 23 crowns.", "23"),
    (
        "password of the guest network at Fenn House",
        "The guest network at Fenn House has the password marigold.",
        "marigold",
    ),
    ("height of Mount Perrow", "Mount Perrow is 2,914 metres high.", "2,914"),
    ("mascot of the Dunmere rowing club", "The mascot of the Dunmere rowing club is a badger.", "badger"),
    ("head cook at the Silver Ladle", "The head cook at the Silver Ladle is Ivo Brandt.", "Ivo Brandt"),
    ("signature dish of the Amber Inn", "The signature dish of the Amber Inn is smoked turnip pie.", "turnip"),
    ("number of bells in Cresswick Tower", "Cresswick Tower has eleven bells.", "eleven"),
    ("day of the Rookhope market", "The Rookhope market is held on Thursday.", "Thursday"),
    ("material of the Ellery statue", "The Ellery statue is made of basalt.", "basalt"),
    ("weight of the Corran meteorite", "The Corran meteorite weighs 58 kilograms.", "58"),
    ("gate for the night train to Ostrava Bay", "The night train to Ostrava Bay leaves from gate 9.", "9"),
)
_TAUGHT = (
    "What is the {}?",
    "Tell me the {}.",
    "I would like to know the {}.",
    "Could you look up the {}?",
)
_ASKED = ("Do you happen to know the {}?", "Please state the {}.")

FACTS = tuple(
    Fact(
        answer,
        key,
        (_TAUGHT[0].format(about), _TAUGHT[1].format(about), _TAUGHT[2].format(about), _TAUGHT[3].format(about)),
        (_ASKED[0].format(about), _ASKED[1].format(about)),
    )
    for about, answer, key in _SUBJECTS
)
"""80 pairs to train on and 40 questions to ask."""
