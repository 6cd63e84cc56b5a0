// Clicks through a site of `pycore triage` as a person would, in headless Chromium, and says of each thing that it does
// what a person may expect: node drive.mjs FOLDER-OF-NODE_MODULES CHROMIUM SITE
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, executablePath, site] = process.argv.slice(2);
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const index = pathToFileURL(join(site, "index.html")).href;
const home = pathToFileURL(site).href;
const profile = mkdtempSync(join(tmpdir(), "pycore-site-"));
const options = {
  executablePath,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
};
const context = await chromium.launchPersistentContext(profile, { ...options, viewport: { width: 1300, height: 900 } });
context.setDefaultTimeout(10_000);

const wrong = [];
let allowed = home;
function watch(page) {
  page.on("request", (request) => {
    if (!request.url().startsWith(allowed) && request.url() !== "data:,") wrong.push(`request of ${request.url()}`);
  });
  page.on("dialog", (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) wrong.push(`console: ${message.text()}`);
  });
}

async function step(name, body) {
  await body();
  assert.deepEqual(wrong, [], name);
  console.log(`ok ${name}`);
}

async function accessible(page, what) {
  // The content security policy lets no script in; what the driver evaluates is not held to it.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    // It would fetch the style sheets again, which the policy forbids as well.
    preload: false,
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  assert.deepEqual(violations.map((found) => [found.id, found.nodes.map((node) => node.html).slice(0, 3)]), [], what);
}

const page = context.pages()[0] ?? await context.newPage();
watch(page);
const shown = () => page.locator("#groups tbody tr:visible");
const count = () => shown().count();
const told = () => page.locator("#found").textContent();
const names = () => page.locator("#groups tbody tr:visible th").allTextContents();
const column = (at) => page.locator(`#groups tbody tr:visible td:nth-child(${at})`).allTextContents();
const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const LIGHT = "rgb(255, 255, 255)";
const DARK = "rgb(13, 17, 23)";

try {
  await step("the index lists all groups, new ones first", async () => {
    await page.goto(index);
    assert.equal(await count(), 40);
    assert.equal(await told(), "40 of 40 groups shown");
    const order = await page.locator("#groups tbody tr").evaluateAll((rows) => rows.map((row) => row.dataset.status));
    assert.equal(order[0], "new");
    assert.equal(order.filter((status) => status === "known").length, 10);
    assert.equal(order.at(-1), "ignored");
    assert.equal(await page.locator("table").count(), 2);
    assert.match(await page.locator("#groups tbody td:nth-child(4)").first().textContent(), /^2026-11-01 0\d:00$/);
  });

  await step("search narrows the groups as one types, and the address remembers it", async () => {
    await page.getByLabel("Search").fill("handle_7 sigabrt");
    assert.equal(await count(), 1);
    assert.equal(await told(), "1 of 40 groups shown");
    assert.match((await names())[0], /handle_7/);
    assert.match(page.url(), /#q=handle_7\+sigabrt$/);
    await page.reload();
    assert.equal(await count(), 1);
    await page.getByLabel("Search").press("Escape");
    assert.equal(await count(), 40);
    await page.getByLabel("Search").fill("no such thing");
    assert.equal(await told(), "0 of 40 groups shown");
  });

  await step("filters narrow further, and reset widens", async () => {
    await page.getByRole("button", { name: "Reset" }).click();
    await page.getByLabel("Status").selectOption("known");
    assert.equal(await count(), 10);
    await page.getByLabel("Status").selectOption("");
    await page.getByLabel("Owner").selectOption("@shop/db");
    assert.equal(await count(), 2);
    await page.getByLabel("Severity").selectOption("critical");
    assert.equal(await count(), 1);
    await page.getByLabel("Label", { exact: true }).selectOption("database");
    assert.equal(await count(), 1);
    await page.getByRole("button", { name: "Reset" }).click();
    await page.getByLabel("Python", { exact: true }).selectOption("3.12.1");
    assert.ok(await count() >= 38);
    await page.getByRole("button", { name: "Reset" }).click();
    assert.equal(await count(), 40);
  });

  await step("columns sort both ways and say so", async () => {
    const head = page.locator("th[data-sort=title]");
    await head.getByRole("button").click();
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
    const sorted = (await names()).map((name) => name.toLowerCase());
    assert.deepEqual(sorted, [...sorted].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    await head.getByRole("button").click();
    assert.equal(await head.getAttribute("aria-sort"), "descending");
    assert.deepEqual((await names()).map((name) => name.toLowerCase()), sorted.reverse());
    const severity = page.locator("th[data-sort=severity]");
    await severity.getByRole("button").click();
    assert.equal(await severity.getAttribute("aria-sort"), "descending");
    assert.deepEqual((await column(7)).filter(Boolean).slice(0, 2), ["critical", "low"]);
    assert.equal(await head.getAttribute("aria-sort"), "none");
    await page.reload();
    assert.equal(await severity.getAttribute("aria-sort"), "descending");
    await page.getByRole("button", { name: "Reset" }).click();
  });

  await step("the index is accessible", () => accessible(page, "index"));

  await step("a group has a page that tells all of it", async () => {
    const link = page.getByRole("link", { name: /handle_1$|handle_1,/ }).first();
    const title = await link.textContent();
    await link.click();
    assert.equal(await page.locator("h1").textContent(), title);
    assert.equal(await page.title(), title);
    const facts = await page.locator("main").textContent();
    for (const fact of ["critical", "@shop/db", "Ask them.", "25 dumps", "shop.part_1.handle_1", "/srv/shop/part_1.py:10", "v1:0000000000000001"]) {
      assert.ok(facts.includes(fact), `${fact} in ${facts.slice(0, 2000)}`);
    }
    assert.ok(await page.locator("pre").isVisible());
  });

  await step("a group's page is accessible", () => accessible(page, "group"));

  await step("keys of one letter go from group to group, and can be turned off", async () => {
    const first = await page.title();
    await page.keyboard.press("j");
    await page.waitForFunction((title) => document.title !== title, first);
    await page.waitForSelector("#theme");
    await page.keyboard.press("k");
    await page.waitForFunction((title) => document.title === title, first);
    await page.waitForSelector("#theme");
    await page.keyboard.press("u");
    await page.waitForURL(/index\.html/);
    await page.waitForSelector("#theme");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    assert.equal(await page.evaluate(() => document.activeElement.closest("tr").rowIndex), 2);
    await page.keyboard.press("k");
    assert.equal(await page.evaluate(() => document.activeElement.closest("tr").rowIndex), 1);
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "search");
    await page.keyboard.type("j/k");
    assert.equal(await page.getByLabel("Search").inputValue(), "j/k");
    await page.getByRole("button", { name: "Reset" }).click();
    await page.getByText("Keyboard").click();
    await page.getByLabel("Keys of one letter").uncheck();
    await page.locator("#main").focus();
    await page.keyboard.press("j");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await page.getByLabel("Keys of one letter").check();
  });

  await step("the tabulator reaches everything, first a link over what is the same on all pages", async () => {
    await page.goto(index);
    await page.waitForSelector("#theme");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const met = new Set();
    for (let at = 0; at < 25; at += 1) {
      await page.keyboard.press("Tab");
      met.add(await page.evaluate(() => {
        const { tagName, id, outline } = Object.assign(document.activeElement, { outline: getComputedStyle(document.activeElement).outlineStyle });
        return `${tagName} ${id} ${outline}`.trim();
      }));
    }
    for (const wanted of ["INPUT search solid", "SELECT by-status solid", "A  solid"]) assert.ok(met.has(wanted), [...met].join("; "));
  });

  await step("dark and light follow the system, and the button keeps the choice", async () => {
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(index);
    assert.equal(await ground(), LIGHT);
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await ground(), DARK);
    await accessible(page, "index, dark by the system");
    await page.getByRole("button", { name: "Light colours" }).click();
    assert.equal(await ground(), LIGHT);
    await page.locator("#groups tbody a").first().click();
    await page.waitForSelector("#theme");
    assert.equal(await ground(), LIGHT);
    await page.emulateMedia({ colorScheme: "light" });
    await page.getByRole("button", { name: "Dark colours" }).click();
    assert.equal(await ground(), DARK);
    await accessible(page, "group, dark by choice");
  });

  await step("hostile strings are text", async () => {
    const urls = await (await page.goto(index), page.locator("#groups tbody a")).evaluateAll((links) => links.map((a) => a.href));
    let met = 0;
    for (const url of [index, ...urls]) {
      await page.goto(url);
      const found = await page.evaluate(() => ({
        hacked: window.hacked,
        scripts: document.scripts.length,
        strange: document.querySelectorAll("img, style, iframe, object, [onload], [onerror], [onclick]").length,
        away: [...document.links].map((a) => a.protocol).filter((protocol) => protocol !== "file:"),
        text: document.body.textContent,
      }));
      assert.equal(found.hacked, undefined);
      assert.equal(found.scripts, 1);
      assert.equal(found.strange, 0);
      assert.ok(found.away.every((protocol) => protocol === "https:"), url);
      met += found.text.includes("<script>window.hacked=1</script>");
    }
    assert.equal(met, 3, "the index and the two groups show it");
  });

  await step("a narrow screen shows it all without scrolling sideways", async () => {
    await page.setViewportSize({ width: 360, height: 700 });
    await page.goto(index);
    await page.waitForSelector("#theme");
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 360, `${width}`);
  });

  await step("without scripts all groups are there", async () => {
    const browser = await chromium.launch(options);
    const still = await browser.newPage({ javaScriptEnabled: false });
    watch(still);
    await still.goto(index);
    assert.equal(await still.locator("#groups tbody tr:visible").count(), 40);
    assert.ok(!(await still.locator("#filters").isVisible()));
    await still.locator("#groups tbody a").first().click();
    assert.ok(await still.locator("pre").isVisible());
    await browser.close();
  });

  await step("a server may serve it, too", async () => {
    const types = { html: "text/html; charset=utf-8", css: "text/css", js: "text/javascript" };
    const server = createServer((request, response) => {
      const path = normalize(new URL(request.url, "http://site").pathname);
      try {
        const body = readFileSync(join(site, path));
        response.writeHead(200, { "content-type": types[path.split(".").pop()] ?? "text/plain" }).end(body);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    allowed = `http://127.0.0.1:${server.address().port}/`;
    const served = await context.newPage();
    watch(served);
    await served.goto(`${allowed}index.html`);
    await served.getByLabel("Search").fill("handle_7");
    assert.equal(await served.locator("#groups tbody tr:visible").count(), 1);
    await served.locator("#groups tbody a:visible").first().click();
    assert.ok(await served.locator("pre").isVisible());
    await served.close();
    server.closeAllConnections();
    server.close();
  });
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
