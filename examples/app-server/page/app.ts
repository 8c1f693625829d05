import { createDroverClient, DroverError, type Frame, type QueryEvent } from "@drover/client/browser";
import { Chart } from "./chart.ts";
import { latestOnly } from "./latest-only.ts";
import { airportsQuestion, barsOf, type Choice, figures, groupings, questionOf, titleOf } from "./questions.ts";

const drover = createDroverClient({ baseUrl: "/api" });
const chart = new Chart(byId("chart"));
let choice: Choice = { origin: "", by: "hour", show: "delay" };
let latest: Frame | undefined;

/** One question at a time: choosing faster than answers come cancels the former question, here and in the driver. */
const ask = latestOnly(async (asked: Choice, signal: AbortSignal) => {
  begin(asked);
  try {
    for await (const event of drover.query("flights", questionOf(asked), { signal, integers: "number" })) draw(event);
  } catch (error) {
    if (!signal.aborted) fail(error);
  } finally {
    byId("progress").hidden = true;
  }
});

function begin(asked: Choice): void {
  byId("title").textContent = titleOf(asked);
  byId("status").textContent = "Asking…";
  byId("failure").hidden = true;
  byId("chart").classList.add("stale");
  showProgress(undefined);
}

function draw(event: QueryEvent): void {
  if (event.type === "progress") showProgress(event.progress.fraction);
  if (event.type === "frame") {
    latest = event.frame;
    byId("chart").classList.remove("stale");
    byId("chart").hidden = false;
    redraw();
    byId("status").textContent = event.frame.exact ? "Exact answer" : "First answer; it still gets sharper";
  }
  if (event.type === "completed") {
    const { rowsScanned, timings } = event.summary;
    const flights = latest?.rows.reduce((sum, row) => sum + Number(row.flights), 0) ?? 0;
    byId("status").textContent =
      `${flights.toLocaleString("en-US")} flights. Exact: ${rowsScanned.toLocaleString("en-US")} rows read in ${timings.executedMs.toFixed(0)} ms.`;
  }
}

function redraw(): void {
  byId("title").textContent = titleOf(choice);
  if (latest) chart.show(barsOf(latest, choice), figures[choice.show].format);
}

function showProgress(fraction: number | undefined): void {
  const bar = byId("progress");
  bar.hidden = false;
  bar.classList.toggle("unknown", fraction === undefined);
  const inner = bar.firstElementChild as HTMLElement;
  inner.style.width = fraction === undefined ? "" : `${Math.round(fraction * 100)}%`;
  if (fraction === undefined) bar.removeAttribute("aria-valuenow");
  else bar.setAttribute("aria-valuenow", String(Math.round(fraction * 100)));
}

function fail(error: unknown): void {
  if (error instanceof DroverError && error.reason === "LOGIN_REQUIRED") location.reload();
  const [what, help] = error instanceof DroverError ? [error.message, error.help] : [String(error), ""];
  const box = byId("failure");
  box.hidden = false;
  byId("chart").hidden = true;
  byId("status").textContent = error instanceof DroverError ? error.reason : "";
  (box.querySelector("strong") as HTMLElement).textContent = `${what.charAt(0).toUpperCase()}${what.slice(1)}.`;
  (box.querySelector("p") as HTMLElement).textContent = help;
}

/** Radio buttons: one click, or one arrow key, asks the next question. */
function picker(
  id: string,
  entries: readonly (readonly [string, string])[],
  checked: string,
  pick: (value: string) => void,
) {
  const choices = document.createElement("div");
  choices.className = "choices";
  for (const [value, title] of entries) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: id, value });
    input.checked = value === checked;
    input.addEventListener("change", () => pick(value));
    const text = document.createElement("span");
    text.textContent = title;
    label.append(input, text);
    choices.append(label);
  }
  byId(id).querySelector(".choices")?.remove();
  byId(id).append(choices);
}

function titles(table: Readonly<Record<string, { readonly title: string }>>): [string, string][] {
  return Object.entries(table).map(([name, { title }]) => [name, title]);
}

function byId(id: string): HTMLElement {
  const node = document.getElementById(id);
  if (node === null) throw new Error(`the page has no #${id}`);
  return node;
}

function change(part: Partial<Choice>): void {
  choice = { ...choice, ...part };
  ask(choice);
}

function pickOrigin(airports: readonly string[]): void {
  const entries = airports.map((origin) => [origin, origin] as const);
  picker("origin", [["", "All airports"], ...entries], choice.origin, (origin) => change({ origin }));
}

async function showAirports(): Promise<void> {
  const airports = await drover.query("flights", airportsQuestion).rows<{ origin: string }>();
  pickOrigin(airports.map(({ origin }) => origin));
}

async function showUser(): Promise<void> {
  const { user } = (await (await fetch("/me")).json()) as { user: string };
  byId("user").textContent = user;
}

pickOrigin([]);
picker("by", titles(groupings), choice.by, (by) => change({ by: by as Choice["by"] }));
picker("show", titles(figures), choice.show, (show) => {
  choice = { ...choice, show: show as Choice["show"] };
  redraw();
});
byId("failure")
  .querySelector("button")
  ?.addEventListener("click", () => {
    ask(choice);
    showAirports().catch(() => {});
  });
ask(choice);
// Its failure is the same as the chart's, which says it in words.
showAirports().catch(() => {});
showUser().catch(() => {});
