import { type MetricEntry, metricCatalogue } from "./metric-catalogue.ts";

/** docs/metrics.md, from the catalogue. */
export function metricsMarkdown(): string {
  const rows = Object.entries<MetricEntry>(metricCatalogue).map(
    ([name, { type, help, labels }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ") || "none"} | ${help.replaceAll("|", "\\|")} |`,
  );
  return `<!-- Generated from src/observability/metric-catalogue.ts; do not edit. -->
# Metrics

\`GET /metrics\` answers in the Prometheus text format; it needs the token.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
${rows.join("\n")}
`;
}
