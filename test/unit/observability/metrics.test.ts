import { expect, test } from "vitest";
import { metricCatalogue } from "../../../src/observability/metric-catalogue.ts";
import { Metrics } from "../../../src/observability/metrics.ts";
import { metricsMarkdown } from "../../../src/observability/metrics-markdown.ts";

test("counters add up by label", () => {
  const metrics = new Metrics();
  metrics.count("drover_errors_total", ["CANCELLED"]);
  metrics.count("drover_errors_total", ["CANCELLED"], 2);
  metrics.count("drover_errors_total", ["INTERNAL"]);
  expect(metrics.expose()).toBe(
    `# HELP drover_errors_total ${metricCatalogue.drover_errors_total.help}
# TYPE drover_errors_total counter
drover_errors_total{reason="CANCELLED"} 3
drover_errors_total{reason="INTERNAL"} 1
`,
  );
});

test("a histogram's buckets are cumulative", () => {
  const metrics = new Metrics();
  for (const seconds of [0.0001, 0.003, 0.003, 1000])
    metrics.observe("drover_query_phase_seconds", ["planned"], seconds);
  const lines = metrics.expose().split("\n");
  const bucket = (bound: string) => lines.find((line) => line.includes(`le="${bound}"`))?.split(" ")[1];
  expect([bucket("0.0005"), bucket("0.0025"), bucket("0.005"), bucket("60"), bucket("+Inf")]).toEqual([
    "1",
    "1",
    "3",
    "3",
    "4",
  ]);
  expect(lines).toContain('drover_query_phase_seconds_count{phase="planned"} 4');
});

test("gauges are read when somebody asks", () => {
  const metrics = new Metrics();
  let connections = 1;
  metrics.collect((set) => set("drover_connections", [], connections));
  connections = 5;
  expect(metrics.expose()).toContain("\ndrover_connections 5\n");
});

test("labels are escaped", () => {
  const metrics = new Metrics();
  metrics.collect((set) => set("drover_info", ['1"', "a\\b", "c\nd"], 1));
  expect(metrics.expose()).toContain('drover_info{version="1\\"",profile="a\\\\b",instance_id="c\\nd"} 1');
});

test("the documentation names every metric", () => {
  const page = metricsMarkdown();
  for (const name of Object.keys(metricCatalogue)) expect(page).toContain(`| \`${name}\` |`);
});
