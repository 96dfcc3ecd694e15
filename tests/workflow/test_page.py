"""The report's page in a real browser: it works offline, asks for nothing, complains of nothing, and everybody can
read it."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
NEEDS_BROWSER = pytest.mark.skipif(BROWSER is None, reason="no chromium here")
AXE = "axe-core@4.10.3"  # the rules of accessibility, from npm
WRITTEN = '<pre id="found"></pre>'  # where a script of a test writes what it found


def opened(page: Path, profile: Path, *options: str, width: int = 1280) -> subprocess.CompletedProcess[str]:
    """The page as the browser has it after its scripts ran, and what the browser says."""
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", *QUIET, f"--user-data-dir={profile}", *options]
    command += ["--enable-logging=stderr", "--virtual-time-budget=20000", f"--window-size={width},3000"]
    return subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=False, timeout=300
    )


def found_by(script: str, page: str, folder: Path):
    """What a script in a page writes down as JSON."""
    file = folder / "page.html"
    file.write_text(page.replace("</body>", f"{WRITTEN}<script>{script}</script></body>"), encoding="utf-8")
    result = opened(file, folder / "profile")
    (written,) = re.findall(r'<pre id="found">(.*?)</pre>', result.stdout, re.DOTALL) or [""]
    assert written, result.stderr[-2000:]
    return json.loads(html.unescape(written))


def write(expression: str) -> str:
    return f"document.getElementById('found').textContent = JSON.stringify({expression});"


@NEEDS_BROWSER
@pytest.mark.parametrize("width", [420, 1280])
def test_the_page_loads_without_a_request_or_an_error(finished, tmp_path, width):
    result = opened(finished.folder / "reports/study.html", tmp_path / "profile", width=width)
    assert "CONSOLE" not in result.stderr, re.findall(r".*CONSOLE.*", result.stderr)
    assert 'id="what-is-shown-and-what-is-not"' in result.stdout
    assert result.stdout.count("<figure") > 20


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The source of axe-core."""
    folder = tmp_path_factory.mktemp("axe")
    if shutil.which("npm") is None:
        pytest.skip("no npm here")
    packed = subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, check=False)
    if packed.returncode:
        pytest.skip(f"{AXE} cannot be had: {packed.stderr[-200:]}")
    shutil.unpack_archive(folder / packed.stdout.strip().splitlines()[-1], folder)
    return (folder / "package/axe.min.js").read_text(encoding="utf-8")


@NEEDS_BROWSER
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_keeps_anybody_from_reading_the_page(finished, axe, tmp_path, theme):
    """Contrast, names, headings, tables, what the keyboard reaches."""
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    page = page.replace('<html lang="en">', f'<html lang="en" data-theme="{theme}">')
    kept = "violations.filter(v => ['serious', 'critical'].includes(v.impact))"
    seen = f"result.{kept}.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary])"
    run = f"axe.run(document, {{resultTypes: ['violations']}}).then(result => {{ {write(seen)} }});"
    assert found_by(f"{axe}\n{run}", page, tmp_path) == []


@NEEDS_BROWSER
def test_a_table_is_one_stop_of_the_tab_key_and_sorts_by_keys(finished, tmp_path):
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    script = """
    const tables = [...document.querySelectorAll("table")];
    const stops = tables.map((table) => [...table.querySelectorAll("th button")].filter((b) => b.tabIndex === 0).length);
    const table = document.querySelector("#table-accuracy table"), buttons = [...table.querySelectorAll("th button")];
    const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    buttons[0].focus(); press("ArrowRight"); press("ArrowRight"); press("ArrowLeft");
    const focused = buttons.indexOf(document.activeElement);
    document.activeElement.click();
    const column = () => [...table.tBodies[0].rows].map((row) => row.cells[1].textContent);
    const up = column(); document.activeElement.click(); const down = column();
    const facts = { stops: Math.max(...stops), tables: tables.length, focused, up, down,
      sorted: table.querySelectorAll("th")[1].ariaSort,
      scopes: document.querySelectorAll('th:not([scope="col"]):not([scope="row"])').length,
      captions: tables.filter((t) => !t.caption).length,
      whole: tables.filter((t) => t.rows.length <= 40 && t.parentElement.scrollHeight > t.parentElement.clientHeight + 1).length };
    """
    found = found_by(f'addEventListener("load", () => {{ {script} {write("facts")} }});', page, tmp_path)
    assert found["stops"] == 1 and found["tables"] > 20 and found["focused"] == 1 and found["sorted"] == "descending"
    assert found["up"] == sorted(found["up"], key=str.lower) or found["up"][::-1] == found["down"]
    assert found["scopes"] == found["captions"] == found["whole"] == 0


@NEEDS_BROWSER
def test_rows_are_chosen_by_task_and_by_word_and_saved_as_they_are_shown(finished, tmp_path):
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    script = """
    const figure = document.querySelector('select[aria-label="Rows of one task"]').closest("figure");
    const rows = [...figure.querySelectorAll("tbody tr")];
    const shown = () => rows.filter((row) => row.getClientRects().length).map((row) => row.textContent);
    const select = [...figure.querySelectorAll("select")].find((one) => one.ariaLabel === "Rows of one task");
    const all = shown().length;
    select.value = [...select.options].at(-1).value; select.dispatchEvent(new Event("change"));
    const one = shown(), task = select.value, count = figure.querySelector(".tools span").textContent;
    let saved = null;
    URL.createObjectURL = (blob) => { saved = blob; return "#"; };
    HTMLAnchorElement.prototype.click = () => {};
    figure.querySelector(".tools button").click();
    select.value = ""; select.dispatchEvent(new Event("change"));
    const search = figure.querySelector("input");
    search.value = "no such word"; search.dispatchEvent(new Event("input"));
    const none = shown().length;
    search.value = ""; search.dispatchEvent(new Event("input"));
    const facts = { all, one, task, count, none, again: shown().length, size: saved.size, type: saved.type };
    """
    found = found_by(f'addEventListener("load", () => {{ {script} {write("facts")} }});', page, tmp_path)
    assert found["all"] == found["again"] > len(found["one"]) >= 1 and found["none"] == 0
    assert all(found["task"] in row for row in found["one"])
    assert found["count"] == f"{len(found['one'])} of {found['all']} rows"
    assert found["type"] == "text/csv" and found["size"] > 50


@NEEDS_BROWSER
def test_a_slider_steps_through_layers_and_what_is_drawn_says_what_it_is(finished, tmp_path):
    """To the mouse, to a finger and to arrow keys."""
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    script = """
    const tip = document.getElementById("tip"), told = () => tip.style.display === "block" ? tip.textContent : null;
    const look = (name) => {
      const panel = document.querySelector(`#by-layer-${name} .panel`), parts = [...panel.querySelectorAll(".labelled")];
      const slider = panel.querySelector("input"), steps = JSON.parse(panel.querySelector("script").textContent);
      const at = () => parts.map((part) => ["cx", "cy", "fill"].map((key) => part.getAttribute(key)).join());
      const first = at(), opened = Number(slider.value), seen = [];
      for (const place of [0, steps.layers.length - 1, opened]) {
        slider.value = place; slider.dispatchEvent(new Event("input"));
        seen.push([panel.querySelector("output").textContent, at().join() !== first.join(), parts[0].dataset.says]);
      }
      parts[1].dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
      const mouse = [told(), parts[1].dataset.says];
      document.body.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
      const away = told();
      parts[0].dispatchEvent(new MouseEvent("click", { bubbles: true }));
      const finger = [told(), parts[0].dataset.says];
      document.body.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
      const press = (key) => panel.querySelector("svg").dispatchEvent(new KeyboardEvent("keydown", { key }));
      press("ArrowRight"); press("ArrowRight"); press("ArrowRight"); press("ArrowLeft");
      const keys = [told(), parts[1].dataset.says], chosen = [...panel.querySelectorAll(".chosen")].map((part) => parts.indexOf(part));
      press("Escape");
      const left = [told(), panel.querySelectorAll(".chosen").length];
      return { layers: steps.layers, opened, seen, mouse, away, finger, keys, chosen, left, parts: parts.length };
    };
    const facts = ["theta_by_layer", "transfer_by_layer"].map(look);
    """
    points, cells = found_by(f'addEventListener("load", () => {{ {script} {write("facts")} }});', page, tmp_path)
    for found in (points, cells):
        layers, opened = found["layers"], found["opened"]
        assert [int(layer) for layer, *_ in found["seen"]] == [layers[0], layers[-1], layers[opened]]
        assert [moved for _, moved, _ in found["seen"]] == [opened != 0, opened != len(layers) - 1, False]
        assert found["away"] is None and found["parts"] > 1 and found["chosen"] == [1] and found["left"] == [None, 0]
        for told, said in (found["mouse"], found["finger"], found["keys"]):
            assert told == said and "{" not in told
    assert cells["layers"] == list(range(30)) and "answered as the task of θ" in cells["mouse"][0]
    assert " → " in points["mouse"][0]


@NEEDS_BROWSER
def test_no_text_of_a_figure_is_cut_or_raw(finished, tmp_path):
    """As a browser lays the files out: every text inside its drawing, none of it in a formula's language."""
    files = sorted((finished.folder / "reports/figures").glob("*.svg"))
    drawings = {file.stem: file.read_text(encoding="utf-8") for file in files}
    assert len(drawings) > 10
    comments = {name: re.findall(r"<!-- (.*?) -->", svg, re.DOTALL) for name, svg in drawings.items()}
    assert {name: text for name, texts in comments.items() for text in texts if "\\math" in text or "$" in text} == {}
    inline = "".join(f'<div id="{name}">{svg[svg.index("<svg") :]}</div>' for name, svg in drawings.items())
    script = """
    const cut = [];
    for (const holder of document.querySelectorAll("div[id]")) {
      const whole = holder.querySelector("svg").getBoundingClientRect();
      for (const text of holder.querySelectorAll('g[id^="text_"]')) {
        const box = text.getBoundingClientRect();
        if (box.width && (box.left < whole.left - 1 || box.right > whole.right + 1 || box.top < whole.top - 1 ||
            box.bottom > whole.bottom + 1)) cut.push([holder.id, text.id, box.left - whole.left, whole.right - box.right]);
      }
    }
    """
    assert found_by(f"{script} {write('cut')}", f"<!DOCTYPE html><html><body>{inline}</body></html>", tmp_path) == []


@NEEDS_BROWSER
@pytest.mark.parametrize("width", [420, 820, 1440])
def test_numbers_of_tables_and_letters_of_figures_are_seen_at_every_width(finished, tmp_path, width):
    """In a frame of this width: the first number of the widest tables is on the screen, and no figure's letters shrink
    below 7 px."""
    page = (finished.folder / "reports/study.html").as_uri()
    script = """
    const inside = frame.contentDocument, width = inside.documentElement.clientWidth;
    const first = (name) => [...inside.querySelector(`#table-${name} tbody tr`).cells]
      .find((cell) => /^[0-9]?[.][0-9]/.test(cell.textContent)).getBoundingClientRect().left;
    const cards = [...inside.querySelectorAll("figure .card")].map((card) => {
      const drawn = parseFloat(getComputedStyle(card).getPropertyValue("--width"));
      return 9.68 * 4 / 3 * card.firstElementChild.getBoundingClientRect().width / drawn;
    });
    const facts = { width, page: inside.documentElement.scrollWidth, accuracy: first("accuracy"), controls: first("controls"),
      smallest: Math.min(...cards), schematic: [...inside.querySelectorAll(".schematic svg")]
      .map((svg) => svg.getBoundingClientRect()).filter((box) => box.width > 9).map((box) => box.right) };
    """
    style = f"border:0;width:{width}px;height:4000px"
    frame = f'<!DOCTYPE html><html><body><iframe id="frame" style="{style}" src="{page}"></iframe></body></html>'
    run = f'const frame = document.getElementById("frame"); const look = () => {{ {script} {write("facts")} }};'
    file = tmp_path / "page.html"
    file.write_text(
        frame.replace("</body>", f'{WRITTEN}<script>{run} frame.addEventListener("load", look);</script></body>')
    )
    result = opened(file, tmp_path / "profile", "--allow-file-access-from-files", "--disable-web-security", width=1600)
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', result.stdout, re.DOTALL)[1]))
    assert found["width"] in range(width - 20, width + 1) and found["page"] <= width + 1, (
        "the page itself scrolls sideways"
    )
    assert found["accuracy"] < width - 30 and found["controls"] < width - 30
    assert max(found["schematic"]) <= width + 1 and len(found["schematic"]) == (2 if width < 640 else 1)
    assert found["smallest"] > 7


def test_nothing_in_the_page_points_outside_but_links(finished):
    page = (finished.folder / "reports/study.html").read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img|iframe|object|source)[^>]*(?:src|href)=[\"']?(?!data:)[a-z]+:", page)
    assert "url(http" not in page and "@import" not in page
    assert len(page.encode()) < 6e6


def test_without_scripts_everything_is_there(finished):
    """What scripts add is for convenience: tools of tables, buttons to copy."""
    page = re.sub(
        r"<script>.*?</script>",
        "",
        (finished.folder / "reports/study.html").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    assert page.count("<figure") > 30 and not re.findall(r"<[a-z]+[^<>]* hidden[ >=]", page)
    assert "@inproceedings{hendel2023task" in page and page.count("<h3>") > 10


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
