import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { errorsMarkdown } from "../../../src/errors/errors-markdown.ts";
import { type ReasonEntry, reasons } from "../../../src/errors/reasons.ts";

test("the documentation has a section for every reason", () => {
  const page = errorsMarkdown();
  for (const [reason, { when, help }] of Object.entries<ReasonEntry>(reasons)) {
    expect(page).toContain(`## ${reason}\n\n${when}\n\n- What to do: ${help}\n`);
  }
});

test("every reason is a name that ErrorInfo allows, and says what to do", () => {
  for (const [reason, { when, help }] of Object.entries<ReasonEntry>(reasons)) {
    expect(reason).toMatch(/^[A-Z][A-Z0-9_]{1,61}[A-Z0-9]$/);
    expect(when).toMatch(/\.$/);
    expect(help).toMatch(/\.$/);
  }
});

test("every reason stands in one table", async () => {
  const folder = new URL("../../../src/errors/reasons/", import.meta.url);
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(new URL(name, folder), "utf8")));
  const names = texts.flatMap((text) => [...text.matchAll(/^ {2}([A-Z][A-Z0-9_]+): \{$/gm)].map(([, name]) => name));
  expect(names.toSorted()).toEqual(Object.keys(reasons).toSorted());
});
