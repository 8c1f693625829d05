import type { Bar } from "./questions.ts";

const svgSpace = "http://www.w3.org/2000/svg";
const height = 340;
const margin = { top: 12, right: 4, bottom: 26, left: 56 };

/** A bar chart in a box, drawn anew with every answer and whenever the box changes its width. */
export class Chart {
  readonly #box: HTMLElement;
  #bars: readonly Bar[] = [];
  #format: (value: number) => string = String;

  constructor(box: HTMLElement) {
    this.#box = box;
    new ResizeObserver(() => this.#draw()).observe(box);
  }

  /** Bars with the same labels as before grow or shrink to their new values. */
  show(bars: readonly Bar[], format: (value: number) => string): void {
    this.#bars = bars;
    this.#format = format;
    this.#draw();
  }

  #draw(): void {
    const width = this.#box.clientWidth;
    if (width === 0) return;
    const svg = this.#svg(width);
    const values = this.#bars.map(({ value }) => value ?? 0);
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values) || 1];
    const y = (value: number) => margin.top + ((high - value) / (high - low)) * (height - margin.top - margin.bottom);
    const ticks = ticksBetween(low, high);
    const axis = group(svg, "axis");
    axis.replaceChildren(...ticks.flatMap((tick) => this.#tick(tick, y(tick), width)));
    const slot = (width - margin.left - margin.right) / Math.max(1, this.#bars.length);
    const old = new Map([...svg.querySelectorAll<SVGGElement>("g.slot")].map((node) => [node.dataset.label, node]));
    const slots = this.#bars.map((bar, index) => {
      const node = old.get(bar.label) ?? this.#newSlot(bar.label, y(0));
      this.#place(node, bar, { left: margin.left + index * slot, width: slot, y });
      return node;
    });
    thinLabels(slots, slot);
    group(svg, "slots").replaceChildren(...slots);
  }

  #svg(width: number): SVGSVGElement {
    const svg = this.#box.querySelector("svg") ?? this.#box.appendChild(element("svg", {}));
    set(svg, { viewBox: `0 0 ${width} ${height}`, role: "img" });
    return svg;
  }

  #tick(tick: number, y: number, width: number): SVGElement[] {
    const text = element("text", { x: margin.left - 8, y: y + 4, "text-anchor": "end" });
    text.textContent = this.#format(tick).replace(/\.0(?= |$)/, "");
    const ends = { x1: margin.left, x2: width - margin.right, y1: y, y2: y };
    return [element("line", { ...ends, class: tick === 0 ? "zero" : "grid" }), text];
  }

  #newSlot(label: string, zero: number): SVGGElement {
    const node = element("g", { class: "slot", tabindex: 0 });
    node.dataset.label = label;
    const text = element("text", { y: height - 6, "text-anchor": "middle" });
    text.textContent = label;
    node.append(element("rect", { class: "hit" }), element("rect", { class: "bar", rx: 3, y: zero, height: 0 }), text);
    for (const event of ["pointerenter", "focus"]) node.addEventListener(event, () => this.#tip(node));
    for (const event of ["pointerleave", "blur"]) node.addEventListener(event, () => this.#tip(undefined));
    return node;
  }

  #place(node: SVGGElement, bar: Bar, at: { left: number; width: number; y: (value: number) => number }): void {
    const [hit, rect, text] = node.children as unknown as [SVGElement, SVGElement, SVGElement];
    const value = bar.value ?? 0;
    const [top, bottom] = [at.y(Math.max(0, value)), at.y(Math.min(0, value))];
    const gap = Math.min(10, at.width * 0.22);
    const least = bar.value === undefined ? 0 : 0.5;
    set(hit, { x: at.left, width: at.width, y: margin.top, height: height - margin.top });
    set(rect, { x: at.left + gap / 2, width: at.width - gap, y: top, height: Math.max(least, bottom - top) });
    set(text, { x: at.left + at.width / 2 });
    set(node, { "aria-label": bar.details.replaceAll("\n", ", ") });
    node.dataset.value = String(bar.value ?? "");
    node.dataset.details = bar.details;
  }

  #tip(node: SVGGElement | undefined): void {
    this.#box.querySelector(".tip")?.remove();
    if (node === undefined) return;
    const tip = this.#box.appendChild(document.createElement("div"));
    tip.className = "tip";
    tip.textContent = node.dataset.details ?? "";
    const box = this.#box.getBoundingClientRect();
    const slot = node.getBoundingClientRect();
    const centre = slot.left - box.left + slot.width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(0, Math.min(centre, box.width - tip.offsetWidth))}px`;
  }
}

/** So many labels as do not touch each other. */
function thinLabels(slots: readonly SVGGElement[], slotWidth: number): void {
  const longest = Math.max(...slots.map(({ dataset }) => dataset.label?.length ?? 0));
  const every = Math.ceil((longest * 7 + 8) / slotWidth);
  slots.forEach((node, index) => {
    node.lastElementChild?.toggleAttribute("visibility", false);
    if (index % every !== 0) node.lastElementChild?.setAttribute("visibility", "hidden");
  });
}

/** About five round numbers. */
function ticksBetween(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) => (first + index) * step);
}

function group(svg: SVGSVGElement, name: string): SVGGElement {
  return svg.querySelector<SVGGElement>(`g.${name}`) ?? svg.appendChild(element("g", { class: name }));
}

type Attributes = Readonly<Record<string, string | number>>;

function element<K extends keyof SVGElementTagNameMap>(name: K, attributes: Attributes): SVGElementTagNameMap[K] {
  return set(document.createElementNS(svgSpace, name), attributes);
}

function set<T extends SVGElement>(node: T, attributes: Attributes): T {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}
