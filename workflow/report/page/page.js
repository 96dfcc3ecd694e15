// Tables that sort, labels of points, layers to step through, the section one is in, dark and light. Nothing leaves the page.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.querySelectorAll("th")];
  const buttons = heads.map((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = place ? -1 : 0; // one stop of the tab key a table; arrows lead on
    button.textContent = head.textContent;
    head.replaceChildren(button);
    return button;
  });
  const sort = (column) => {
    const up = heads[column].getAttribute("aria-sort") !== "ascending";
    const key = (row) => row.cells[column].textContent.trim().replace("−", "-");
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)], [m, n] = [parseFloat(x), parseFloat(y)];
      if ((x === "–") !== (y === "–")) return x === "–" ? 1 : -1; // what is missing comes last, either way
      const order = isNaN(m) || isNaN(n) ? x.localeCompare(y) : m - n;
      return up ? order : -order;
    });
    for (const other of heads) other.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
    table.tBodies[0].append(...rows);
  };
  buttons.forEach((button, place) => {
    button.addEventListener("click", () => sort(place)); // Enter and space, too
    button.addEventListener("keydown", (event) => {
      const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (!buttons[next]) return;
      event.preventDefault();
      button.tabIndex = -1;
      buttons[next].tabIndex = 0;
      buttons[next].focus();
    });
  });
}

// Rows of one model or task, or with a word; and the table as it is shown, to save.
const FILTERED = ["model", "task", "question", "verdict"], FROM = 12; // columns that are chosen from, and rows from which on
const made = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
for (const table of document.querySelectorAll("figure.table table")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < FROM) continue;
  const heads = [...table.tHead.querySelectorAll("th")].map((head) => head.textContent);
  const wanted = new Map();
  const show = () => {
    for (const row of rows) row.hidden = [...wanted].some(([column, word]) => column < 0
      ? ![...row.cells].some((cell) => cell.textContent.toLowerCase().includes(word)) : row.cells[column].textContent !== word);
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    stops();
  };
  const want = (column, word) => {
    if (word) wanted.set(column, word); else wanted.delete(column);
    show();
  };
  const tools = made("div", { className: "tools" }), count = made("span", { ariaLive: "polite" });
  for (const name of FILTERED) {
    const column = heads.indexOf(name);
    const words = column < 0 ? [] : [...new Set(rows.map((row) => row.cells[column].textContent))];
    if (words.length < 2) continue;
    const options = words.map((word) => made("option", { textContent: word, value: word }));
    const select = made("select", { ariaLabel: `Rows of one ${name}` }, made("option", { textContent: `every ${name}`, value: "" }), ...options);
    select.addEventListener("change", () => want(column, select.value));
    tools.append(select);
  }
  const search = made("input", { type: "search", placeholder: "with the word …", ariaLabel: "Rows with a word" });
  search.addEventListener("input", () => want(-1, search.value.trim().toLowerCase()));
  const save = made("button", { type: "button", textContent: "save rows as shown" });
  save.addEventListener("click", () => {
    const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [heads, ...[...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => [...row.cells].map((cell) => cell.textContent))];
    const content = new Blob(["\ufeff", lines.map((line) => line.map(quoted).join(",") + "\n").join("")], { type: "text/csv" });
    const link = made("a", { href: URL.createObjectURL(content), download: `${table.closest("figure").id.replace("table-", "")}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  tools.append(search, save, count);
  table.closest(".scroll").before(tools);
  count.textContent = `${rows.length} rows`;
}

for (const block of document.querySelectorAll("main pre")) {
  const text = block.textContent, button = made("button", { type: "button", textContent: "copy", ariaLive: "polite" });
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch { // no clipboard where the page comes from: the text is selected instead
      getSelection().selectAllChildren(block);
      button.textContent = "selected";
    }
    setTimeout(() => (button.textContent = "copy"), 2000);
  });
  block.append(button);
}

// What need not scroll is no stop of the tab key.
function stops() {
  for (const part of document.querySelectorAll(".card, .scroll")) {
    if (part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
}
addEventListener("load", stops);
addEventListener("beforeprint", () => {
  for (const files of document.querySelectorAll(".sources")) files.open = true;
});
addEventListener("resize", stops);

// What a point or cell says: under the mouse, where a finger taps, and as arrow keys go through a drawing.
const tip = document.getElementById("tip");
for (const element of document.querySelectorAll('.card svg g[id^="point"], .by-layer .labelled')) {
  const title = element.querySelector("title");
  element.dataset.says = title.textContent;
  title.remove(); // the browser would show it a second time
}
const saying = (element) => element?.closest?.("[data-says]");
const say = (element, x, y) => {
  tip.style.display = element ? "block" : "none";
  if (!element) return;
  tip.textContent = element.dataset.says;
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 14, innerHeight - tip.offsetHeight - 4))}px`;
};
for (const kind of ["pointermove", "click"]) {
  document.addEventListener(kind, (event) => say(saying(event.target), event.clientX, event.clientY));
}
for (const drawing of document.querySelectorAll(".card svg, .by-layer svg")) {
  const parts = [...drawing.querySelectorAll("[data-says]")];
  if (!parts.length) continue;
  let at = -1;
  const leave = () => {
    parts[at]?.classList.remove("chosen");
    say(null);
  };
  drawing.tabIndex = 0;
  drawing.setAttribute("aria-label", `${drawing.getAttribute("aria-label")}. Arrow keys lead through it.`);
  drawing.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    leave();
    at = at < 0 ? 0 : (at + step + parts.length) % parts.length;
    parts[at].classList.add("chosen");
    parts[at].scrollIntoView({ block: "nearest", inline: "nearest" });
    const box = parts[at].getBoundingClientRect();
    say(parts[at], box.right, box.bottom);
  });
  drawing.addEventListener("blur", leave);
}

// Pictures that a slider steps through layers: cells change their shade, points their place.
for (const panel of document.querySelectorAll(".by-layer .panel")) {
  const steps = JSON.parse(panel.querySelector("script").textContent), parts = [...panel.querySelectorAll(".labelled")];
  const output = panel.querySelector("output"), last = steps.layers.length - 1;
  const slider = made("input", { type: "range", min: 0, max: last, ariaLabel: `${panel.querySelector("h4").textContent}: layer` });
  slider.value = steps.layers.indexOf(Number(output.textContent));
  const shade = (cell, place, at) => {
    const [value, beside] = [steps.values[place][at], steps.beside[place][at]];
    cell.setAttribute("fill", value === null ? steps.none : steps.shades[Math.floor((value + 5) / 10)]);
    const { row, column } = cell.dataset;
    cell.dataset.says = steps.says.replace(/\{(\w+)\}/g, (_, name) => ({ row, column, value, beside })[name] ?? "–");
  };
  const move = (point, _, at) => {
    point.setAttribute("cx", steps.x[at][point.dataset.place]);
    point.setAttribute("cy", steps.y[at][point.dataset.place]);
  };
  slider.addEventListener("input", () => {
    const at = Number(slider.value);
    output.textContent = steps.layers[at];
    slider.ariaValueText = `layer ${steps.layers[at]}`;
    parts.forEach((part, place) => (steps.values ? shade : move)(part, place, at));
  });
  output.parentElement.append(slider);
}

const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.classList.remove("here");
    links.get(entry.target.id)?.classList.add("here");
  }
}, { rootMargin: "0px 0px -75% 0px" });
for (const section of document.querySelectorAll("section[id]")) seen.observe(section);

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
