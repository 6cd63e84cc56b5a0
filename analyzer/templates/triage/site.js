"use strict";
(() => {
  // A browser may refuse to keep anything for a page from a file.
  const kept = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const keep = (key, value) => { try { localStorage.setItem(key, value); } catch { /* not kept */ } };
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const chosen = kept("pycore-theme");
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;

  function themes() {
    const button = make("button", { id: "theme", type: "button" });
    const show = () => {
      button.textContent = theme() === "dark" ? "Light colours" : "Dark colours";
    };
    button.addEventListener("click", () => {
      root.dataset.theme = theme() === "dark" ? "light" : "dark";
      keep("pycore-theme", root.dataset.theme);
      show();
    });
    dark.addEventListener("change", show);
    show();
    document.querySelector("header").append(button);
  }

  function keys() {
    const rows = () => [...document.querySelectorAll("#groups tbody tr:not([hidden]) a")];
    const step = (by) => {
      const links = rows();
      const at = links.indexOf(document.activeElement);
      const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
      links[next]?.focus();
    };
    const search = document.getElementById("search");
    const does = search
      ? { "/": () => search.focus(), j: () => step(1), k: () => step(-1) }
      : Object.fromEntries([...document.querySelectorAll("[data-key]")].map((a) => [a.dataset.key, () => a.click()]));
    const told = search
      ? [["/", "search"], ["j", "next group"], ["k", "previous group"]]
      : [["j", "next group"], ["k", "previous group"], ["u", "all groups"]];
    const on = make("input", { type: "checkbox", id: "keys", checked: kept("pycore-keys") !== "off" });
    on.addEventListener("change", () => keep("pycore-keys", on.checked ? "on" : "off"));
    const list = make("ul", {}, ...told.map(([key, what]) => make("li", {}, make("kbd", { textContent: key }), ` ${what}`)));
    const label = make("label", { htmlFor: "keys" }, on, " Keys of one letter");
    document.querySelector("footer").append(
      make("details", {}, make("summary", { textContent: "Keyboard" }), list, label));
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !on.checked) return;
      if (event.target.closest("input, select, textarea")) return;
      const action = Object.hasOwn(does, event.key) && does[event.key];
      if (action) {
        event.preventDefault();
        action();
      }
    });
  }

  function index() {
    const form = document.getElementById("filters");
    if (!form) return;
    form.hidden = false;
    const search = document.getElementById("search");
    const selects = [...form.querySelectorAll("select")];
    const found = document.getElementById("found");
    const table = document.getElementById("groups");
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const texts = rows.map((row) => `${row.textContent}\n${row.dataset.words}`.toLowerCase());
    const given = new Map(rows.map((row, at) => [row, at]));
    const heads = [...table.querySelectorAll("th[data-sort]")];
    const severities = ["", "info", "low", "medium", "high", "critical"];
    const compared = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const columns = {
      status: (row) => given.get(row),
      count: (row) => Number(row.cells[2].textContent),
      severity: (row) => severities.indexOf(row.dataset.severity),
    };
    const mostFirst = ["count", "last", "severity"];
    let sorted = { by: "status", back: false };

    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, at) => {
        const fits = words.every((word) => texts[at].includes(word)) &&
          selects.every((select) => !select.value || row.dataset[select.dataset.filter].split("\n").includes(select.value));
        row.hidden = !fits;
        shown += fits;
      });
      found.textContent = `${shown} of ${rows.length} groups shown`;
    };
    const sort = () => {
      const head = heads.find((th) => th.dataset.sort === sorted.by);
      const key = columns[sorted.by] || ((row) => row.cells[head.cellIndex].textContent.toLowerCase());
      const order = [...rows].sort((a, b) => {
        const way = compared(key(a), key(b));
        return (sorted.back ? -way : way) || given.get(a) - given.get(b);
      });
      body.append(...order);
      for (const th of heads) th.setAttribute("aria-sort", th !== head ? "none" : sorted.back ? "descending" : "ascending");
    };
    const remember = () => {
      const state = new URLSearchParams();
      if (search.value) state.set("q", search.value);
      for (const select of selects) if (select.value) state.set(select.dataset.filter, select.value);
      if (sorted.by !== "status" || sorted.back) state.set("sort", sorted.by + (sorted.back ? "-" : ""));
      try { history.replaceState(null, "", `#${state}`); } catch { /* not kept */ }
    };
    const recall = () => {
      const state = new URLSearchParams(location.hash.slice(1));
      search.value = state.get("q") || "";
      for (const select of selects) {
        select.value = state.get(select.dataset.filter) || "";
        if (select.selectedIndex < 0) select.value = "";
      }
      const by = state.get("sort") || "status";
      const name = by.replace(/-$/, "");
      sorted = heads.some((th) => th.dataset.sort === name) ? { by: name, back: by.endsWith("-") } : { by: "status", back: false };
      sort();
      filter();
    };

    for (const th of heads) {
      const button = make("button", { type: "button", textContent: th.textContent });
      th.replaceChildren(button);
      button.addEventListener("click", () => {
        const by = th.dataset.sort;
        sorted = { by, back: sorted.by === by ? !sorted.back : mostFirst.includes(by) };
        sort();
        remember();
      });
    }
    const changed = () => { filter(); remember(); };
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      search.value = "";
      for (const select of selects) select.value = "";
      sorted = { by: "status", back: false };
      sort();
      changed();
      search.focus();
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && search.value) {
        event.preventDefault();
        search.value = "";
        changed();
      }
    });
    addEventListener("hashchange", recall);
    recall();
  }

  document.addEventListener("DOMContentLoaded", () => {
    themes();
    index();
    keys();
  });
})();
