"""Invented names: places, people, makes and codes. Every one is drawn anew, so that no name can be learned."""

from __future__ import annotations

import random
import string


def words(text: str) -> list[str]:
    """The words of a text that blanks part."""
    return text.split()


def phrases(text: str) -> list[str]:
    """The pieces of a text that semicolons part."""
    return [one.strip() for one in text.split(";")]


_ONSETS = words("b br c ch cl d dr f fl g gr h j k kl l m n p pr qu r s sh sk st t th tr v w y z")
_VOWELS = words("a e i o u ai ea ee ie oa ou")
_CODAS = words("b ck d g l ll lm m n nd ng nt p r rd rk rn s sk st t th x")
_PLACE_ENDS = words(
    "bury by combe dale den field fold ford gate ham haven hill holm hurst lea low mere mouth ness port ridge "
    "stead stow thorpe ton water wick worth"
)
_FIRST = words(
    "Ada Adil Agnes Aiko Alma Amir Anders Anouk Arjun Astrid Basil Bela Boris Bruno Carla Cedric Chen Clara Dario "
    "Delia Dimitri Doris Edwin Elif Elin Emeka Enzo Erik Esther Fatima Felix Fiona Freya Gita Gustav Hana Hector "
    "Hugo Ida Igor Imran Ines Iris Ivan Jana Joel Jonas Judith Kaito Karim Katya Kenji Lars Leila Lena Lorenzo "
    "Lucia Magnus Malik Marek Mateo Mei Mina Nadia Nikos Nina Noor Olga Omar Oscar Paula Pavel Petra Priya "
    "Quentin Rafael Ravi Rosa Ruben Sana Selma Simon Sofia Sven Tariq Tessa Thora Tomas Ursula Vera Viktor Wanda "
    "Xenia Yara Yusuf Zoe"
)
_SURNAME_ENDS = words("a ai ak an ard as e ek el en er es ez i ic in is ley man o off on os ow ski son sen us")
_NATURE = words(
    "Acorn Alder Amber Anchor Arrow Aspen Aurora Badger Barley Beacon Birch Bramble Brook Cedar Chestnut Clover "
    "Cobalt Comet Copper Coral Crane Cypress Dolphin Dove Eagle Ebony Elm Falcon Fern Flint Fox Garnet Ginger "
    "Granite Hawk Hazel Heather Heron Holly Indigo Iris Ivory Ivy Jade Jasper Juniper Kestrel Lantern Larch Lark "
    "Laurel Lilac Linden Lotus Lynx Magpie Maple Marble Marlin Meadow Moss Oak Olive Onyx Opal Orchid Osprey "
    "Otter Owl Pearl Pebble Pine Plover Poplar Quartz Quail Raven Robin Rowan Ruby Saffron Sage Sapphire Sequoia "
    "Silver Sorrel Sparrow Spruce Starling Swallow Swan Tansy Teal Thistle Topaz Tulip Violet Walnut Willow Wren "
    "Yarrow Yew"
)
_SIZES = words("Great Little Upper Lower Old New North South East West Inner Outer Long Grand")


class Names:
    """Names drawn from one source of random numbers."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw

    def syllables(self, count: int) -> str:
        """A word that means nothing, in lower case."""
        draw = self.draw
        parts = [draw.choice(_ONSETS) + draw.choice(_VOWELS) for _ in range(count)]
        return "".join(parts) + (draw.choice(_CODAS) if draw.random() < 0.7 else "")

    def place(self) -> str:
        """Such as "Treabury" or "Upper Klomdale"."""
        draw = self.draw
        word = (draw.choice(_ONSETS) + draw.choice(_VOWELS) + draw.choice(_CODAS) + draw.choice(_PLACE_ENDS)).title()
        return f"{draw.choice(_SIZES)} {word}" if draw.random() < 0.2 else word

    def surname(self) -> str:
        """A family name."""
        return (self.syllables(self.draw.choice((1, 1, 2))) + self.draw.choice(_SURNAME_ENDS)).title()

    def person(self) -> str:
        """First and last name, sometimes with a title."""
        draw = self.draw
        title = draw.choice(("Dr ", "Ms ", "Mr ", "Professor ")) if draw.random() < 0.15 else ""
        return f"{title}{draw.choice(_FIRST)} {self.surname()}"

    def make(self) -> str:
        """A brand that nobody has."""
        word = self.syllables(self.draw.choice((1, 2, 2, 3)))
        return word.upper() if self.draw.random() < 0.1 and len(word) < 6 else word.title()

    def nature(self) -> str:
        """A plain word that things are named after."""
        return self.draw.choice(_NATURE)

    def letters(self, count: int) -> str:
        """Capital letters."""
        return "".join(self.draw.choice(string.ascii_uppercase) for _ in range(count))

    def digits(self, count: int) -> str:
        """Digits, the first of which is not 0."""
        return str(self.draw.randrange(10 ** (count - 1), 10**count))

    def code(self) -> str:
        """A code, such as "KX-204", "7731-B", "E4" or "PL/88/C"."""
        draw, letters, digits = self.draw, self.letters, self.digits
        forms = (
            lambda: f"{letters(2)}-{digits(3)}",
            lambda: f"{letters(1)}{digits(1)}",
            lambda: f"{digits(4)}-{letters(1)}",
            lambda: f"{letters(2)}{digits(4)}",
            lambda: f"{letters(2)}/{digits(2)}/{letters(1)}",
            lambda: f"{letters(3)}-{digits(2)}-{digits(2)}",
            lambda: f"{letters(1)}{digits(2)}.{digits(1)}",
        )
        return draw.choice(forms)()

    def filled(self, pattern: str) -> str:
        """A pattern with its slots filled: `{place}`, `{surname}`, `{person}`, `{make}`, `{nature}`, `{word}`,
        `{code}`, `{num}` and `{let}`."""
        made = {
            "place": self.place,
            "surname": self.surname,
            "person": self.person,
            "make": self.make,
            "nature": self.nature,
            "word": lambda: self.syllables(2),
            "code": self.code,
            "num": lambda: str(self.draw.choice((self.draw.randrange(1, 13), self.draw.randrange(10, 1000, 10)))),
            "let": lambda: self.letters(1),
        }
        for name, function in made.items():
            while "{" + name + "}" in pattern:
                pattern = pattern.replace("{" + name + "}", function(), 1)
        return pattern
