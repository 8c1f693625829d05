/** Writes the reference pages from the catalogues that they document. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { configMarkdown } from "../src/config/config-markdown.ts";
import { sqlFunctionsMarkdown } from "../src/engine/duckdb/sandbox/sql-markdown.ts";
import { typesMarkdown } from "../src/engine/duckdb/types/types-markdown.ts";
import { errorsMarkdown } from "../src/errors/errors-markdown.ts";
import { metricsMarkdown } from "../src/observability/metrics-markdown.ts";
import { sourceTypesMarkdown } from "../src/sources/source-types-markdown.ts";
import { sourcesMarkdown } from "../src/sources/sources-markdown.ts";
import { clientErrorsMarkdown } from "./client-errors-markdown.ts";

const docs = join(import.meta.dirname, "..", "docs");

const pages: Readonly<Record<string, string>> = {
  "configuration.md": configMarkdown(),
  "errors.md": `${errorsMarkdown()}\n${clientErrorsMarkdown()}`,
  "metrics.md": metricsMarkdown(),
  "source-types.md": sourceTypesMarkdown(),
  "sources.md": sourcesMarkdown(),
  "sql.md": sqlFunctionsMarkdown(),
  "types.md": typesMarkdown(),
};

for (const [name, text] of Object.entries(pages)) await writeFile(join(docs, name), text);
