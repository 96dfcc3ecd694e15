"""The report's page in a real browser: it works offline, asks for nothing, and complains of nothing."""

import re
import shutil
import subprocess

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


@pytest.mark.skipif(BROWSER is None, reason="no chromium here")
@pytest.mark.parametrize("width", [420, 1280])
def test_the_page_loads_without_a_request_or_an_error(finished, tmp_path, width):
    page = (finished.folder / "reports/study.html").as_uri()
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        *QUIET,
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    command += [
        "--enable-logging=stderr",
        "--virtual-time-budget=5000",
        f"--window-size={width},3000",
        "--dump-dom",
        page,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert "CONSOLE" not in result.stderr, re.findall(r".*CONSOLE.*", result.stderr)
    assert 'id="what-is-shown-and-what-is-not"' in result.stdout
    assert result.stdout.count("<figure") > 20


def test_nothing_in_the_page_points_outside_but_links(finished):
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img|iframe|object|source)[^>]*(?:src|href)=[\"']?(?!data:)[a-z]+:", page)
    assert "url(http" not in page and "@import" not in page
    assert len(page) < 12e6


def test_every_entry_of_the_contents_and_every_anchor_leads_somewhere(finished):
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    names = set(re.findall(r' id="([^"]+)"', page))
    links = re.findall(r'href="#([^"]+)"', re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL))
    assert len(links) > 30 and set(links) <= names
    assert len(re.findall(r"<h2>", page)) == page.split("</nav>")[0].count("<a href=")


def test_points_of_the_pictures_tell_their_task(finished):
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    titles = re.findall(r'<g id="point-\d+"><title>([^<]+)</title>', page)
    assert {"Next letter", "Present → past"} <= {title.removesuffix(" †") for title in titles}
