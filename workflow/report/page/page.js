// Tables that sort, labels on the points of a scatter, the section one is in, dark and light. Nothing leaves the page.
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

// What need not scroll is no stop of the tab key.
const stops = () => {
  for (const part of document.querySelectorAll(".card, .scroll")) {
    if (part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
};
addEventListener("load", stops);
addEventListener("resize", stops);

const tip = document.getElementById("tip");
for (const group of document.querySelectorAll('.card svg g[id^="point"]')) {
  const label = group.querySelector("title").textContent;
  group.addEventListener("mousemove", (event) => {
    tip.textContent = label;
    tip.style.display = "block";
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4)}px`;
    tip.style.top = `${event.clientY + 14}px`;
  });
  group.addEventListener("mouseleave", () => (tip.style.display = "none"));
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
