import { expect, it } from "vitest";
import { OutputTail } from "../../../src/loading/workers/output-tail.ts";

it("keeps the last of what was written, from the beginning of a line", () => {
  const tail = new OutputTail();
  tail.add(Buffer.from("a secret\n"));
  expect(tail.text).toBe("a secret\n");
  tail.add(Buffer.from(`${"x".repeat(8_185)}\n`));
  expect(tail.text).toBe(`${"x".repeat(8_185)}\n`);
});

it("keeps the end of a line that is longer", () => {
  const tail = new OutputTail();
  for (const chunk of ["a secret", "x".repeat(8_185), "end\n"]) tail.add(Buffer.from(chunk));
  expect(tail.text).toMatch(/^x+end\n$/);
  expect(tail.text.length).toBeGreaterThan(7_000);
});
