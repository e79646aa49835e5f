"""Value pools of the training records: names, cities, products, words, drawn from Faker once per seed.

Law: the same seed and Faker version give the same pools.
Source: Faker providers `person`, `company` and `lorem`; the short lists below.
"""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

from faker import Faker

CITIES = {
    "Germany": ("Berlin", "Hamburg", "Munich", "Cologne", "Leipzig"),
    "France": ("Paris", "Lyon", "Nice", "Toulouse", "Lille"),
    "Spain": ("Madrid", "Seville", "Valencia", "Bilbao", "Málaga"),
    "Italy": ("Rome", "Milan", "Turin", "Naples", "Bologna"),
    "Poland": ("Warsaw", "Kraków", "Gdańsk", "Łódź"),
    "Japan": ("Tokyo", "Osaka", "Kyoto", "Sapporo"),
    "Brazil": ("São Paulo", "Recife", "Salvador", "Curitiba"),
    "Canada": ("Toronto", "Montreal", "Ottawa", "Calgary"),
    "Kenya": ("Nairobi", "Mombasa", "Kisumu"),
    "India": ("Mumbai", "Delhi", "Chennai", "Pune"),
}
INTERESTS = (
    "chess", "hiking", "music", "cooking", "cycling", "reading", "travel", "painting",
    "football", "gardening", "yoga", "photography", "films", "sailing", "history", "poetry",
)  # fmt: skip
PRODUCTS = {
    "books": ("atlas", "cookbook", "dictionary", "novel"),
    "garden": ("hose", "rake", "flower pot", "watering can"),
    "kitchen": ("kettle", "toaster", "frying pan", "coffee mug", "teapot"),
    "music": ("guitar", "piano stool", "drum kit", "flute"),
    "sports": ("tennis racket", "yoga mat", "football", "bicycle"),
    "tools": ("hammer", "cordless drill", "screwdriver", "saw"),
    "toys": ("puzzle", "teddy bear", "toy train", "kite"),
}
DOMAINS = ("example.com", "example.org", "example.net", "mail.test")
LOCALES = ("en_US", "en_US", "en_GB", "de_DE", "es_ES", "fr_FR")


@dataclass(frozen=True)
class Pools:
    """Everything a record can be filled with."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    companies: tuple[str, ...]
    words: tuple[str, ...]

    def name(self, rng: random.Random) -> str:
        """A full name."""
        return f"{rng.choice(self.first_names)} {rng.choice(self.last_names)}"

    def email(self, rng: random.Random, name: str) -> str:
        """An address made from a name."""
        plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
        first, *_, last = plain.split()
        local = rng.choice((f"{first}.{last}", f"{first}.{last}", f"{first[0]}{last}", first))
        return f"{local}@{rng.choice(DOMAINS)}"

    def city(self, rng: random.Random) -> tuple[str, str]:
        """A city and its country."""
        country = rng.choice(tuple(CITIES))
        return rng.choice(CITIES[country]), country

    def product(self, rng: random.Random) -> tuple[str, str]:
        """A product and its category."""
        category = rng.choice(tuple(PRODUCTS))
        return rng.choice(PRODUCTS[category]), category

    def date(self, rng: random.Random) -> str:
        """A date of the years 2020 to 2026."""
        return f"{rng.randint(2020, 2026)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"

    def title(self, rng: random.Random) -> str:
        """Two or three words, the first with a capital."""
        return " ".join(rng.choice(self.words) for _ in range(rng.randint(2, 3))).capitalize()


def make_pools(seed: int, size: int = 400) -> Pools:
    """Draw `size` distinct first names, last names and words, and a tenth as many companies."""
    fakers = [Faker(locale) for locale in LOCALES]
    for index, faker in enumerate(fakers):
        faker.seed_instance(seed + index)

    def distinct(provider: str, count: int, locales: list[Faker]) -> tuple[str, ...]:
        seen: dict[str, None] = {}
        turn = 0
        while len(seen) < count:
            value = getattr(locales[turn % len(locales)], provider)()
            turn += 1
            # One word each: "Maria", "Lopez", "budget"; companies keep their whole name.
            if provider == "company" or value.isalpha():
                seen[value] = None
        return tuple(seen)

    return Pools(
        first_names=distinct("first_name", size, fakers),
        last_names=distinct("last_name", size, fakers),
        companies=distinct("company", size // 10, fakers[:1]),
        words=distinct("word", size, fakers[:1]),
    )
