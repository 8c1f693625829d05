import { expect, test } from "vitest";
import { type Bearer, createAccess, NOBODY } from "../../../src/access/access.ts";
import { CompiledScope } from "../../../src/access/compiled-scope.ts";
import type { Access, Role, Scope } from "../../../src/access/model.ts";
import type { RowFilter } from "../../../src/sources/row-filter.ts";

const EUROPE: RowFilter = { kind: "compare", column: "region", op: "equal", value: "EU" };
const RECENT: RowFilter = { kind: "compare", column: "year", op: "greater", value: 2024 };

function scope(parts: Partial<Scope>): Scope {
  return { datasets: ["*"], rows: [], hidden: [], ...parts };
}

function access(role: Role, own?: Partial<Scope>, call: { endUser?: string; scope?: Partial<Scope> } = {}): Access {
  const bearer: Bearer = { principal: "app", tokenId: "t1", role, scope: own && new CompiledScope(scope(own)) };
  return createAccess(bearer, { endUser: call.endUser, scope: call.scope && scope(call.scope) });
}

test("without a scope everything may be seen, and nothing tells its answers from others", () => {
  const open = access("reader");
  expect(open).toMatchObject({ unbounded: true, restricted: false, scopeHash: "" });
  expect(open.mayRead("anything")).toBe(true);
  expect(open.restriction("anything")).toBeUndefined();
});

test("a scope that lets everything through is none", () => {
  expect(access("reader", {})).toMatchObject({ unbounded: true, scopeHash: "" });
});

test("a scope grants the datasets that a pattern of it matches, by name as SQL compares names", () => {
  const some = access("reader", { datasets: ["sales-*", "Caf\u00e9"] });
  for (const name of ["sales-eu", "SALES-", "cafe\u0301", "CAF\u00c9"]) expect(some.mayRead(name)).toBe(true);
  for (const name of ["sales", "xsales-eu", "people", ""]) expect(some.mayRead(name)).toBe(false);
  expect(access("reader", { datasets: [] }).mayRead("sales")).toBe(false);
});

test("letters that lower case writes in two ways are one, in whatever part of a name a pattern has them", () => {
  const some = access("reader", {
    datasets: ["*\u03a3", "?zmir", "flag-?"],
    hidden: [{ dataset: "*", columns: ["\u039f\u0394\u039f\u03a3*", "pin?"] }],
  });
  // ΔΡΟΜΟΣ ends with another small letter than its Σ is by itself; İ becomes two characters; a flag takes two code units.
  for (const name of ["\u0394\u03a1\u039f\u039c\u039f\u03a3", "\u0130zmir", "izmir", "flag-\u{1f3f4}"])
    expect(some.mayRead(name)).toBe(true);
  for (const name of ["flag-", "flag-\u{1f3f4}\u{1f3f4}", "zmir"]) expect(some.mayRead(name)).toBe(false);
  const part = some.restriction("izmir");
  for (const column of [
    "\u039f\u0394\u039f\u03a3",
    "\u039f\u0394\u039f\u03a3_\u039d",
    "\u03bf\u03b4\u03bf\u03c3\u03b7",
    "PIN\u{1d7d9}",
  ])
    expect(part?.hides(column)).toBe(true);
  for (const column of ["pin", "\u03bf\u03b4\u03bf", "pin12"]) expect(part?.hides(column)).toBe(false);
});

test("rules hold for the datasets that they match, and all of them do", () => {
  const some = access("reader", {
    rows: [
      { dataset: "sales*", filter: EUROPE },
      { dataset: "*-new", filter: RECENT },
    ],
    hidden: [
      { dataset: "*", columns: ["Salary", "ssn*"] },
      { dataset: "people", columns: ["name"] },
    ],
  });
  expect(some.restriction("sales-new")?.filters).toEqual([EUROPE, RECENT]);
  expect(some.restriction("SALES")?.filters).toEqual([EUROPE]);
  expect(some.restriction("people")?.filters).toEqual([]);
  const people = some.restriction("people");
  for (const column of ["SALARY", "salary", "SSN", "ssn_4", "Name"]) expect(people?.hides(column)).toBe(true);
  for (const column of ["my salary", "age"]) expect(people?.hides(column)).toBe(false);
  expect(some.restriction("sales")?.hides("name")).toBe(false);
});

test("a call's own scope holds beside its token's, so that it never shows more", () => {
  const narrowed = access(
    "loader",
    { datasets: ["sales-*"], rows: [{ dataset: "*", filter: EUROPE }] },
    { endUser: "ann", scope: { datasets: ["*-eu", "people"], rows: [{ dataset: "*", filter: RECENT }] } },
  );
  expect(narrowed.mayRead("sales-eu")).toBe(true);
  expect(narrowed.mayRead("sales-us")).toBe(false);
  expect(narrowed.mayRead("people")).toBe(false);
  expect(narrowed.restriction("sales-eu")?.filters).toEqual([EUROPE, RECENT]);
});

test("who calls with less to see than an administrator is none", () => {
  expect(access("admin", undefined, { endUser: "ann" }).role).toBe("admin");
  expect(access("admin", undefined, { endUser: "ann", scope: {} }).role).toBe("loader");
  expect(access("reader", undefined, { endUser: "ann", scope: {} }).role).toBe("reader");
});

test("a scope's hash tells scopes apart, not the order in which they were written down", () => {
  const hash = (own: Partial<Scope>, call?: Partial<Scope>) =>
    access("reader", own, call && { endUser: "ann", scope: call }).scopeHash;
  const rows = [
    { dataset: "a", filter: EUROPE },
    { dataset: "b", filter: RECENT },
  ];
  expect(hash({ datasets: ["a", "b"], rows })).toBe(hash({ datasets: ["b", "a", "b"], rows: [...rows].reverse() }));
  expect(hash({ datasets: ["a"] }, { datasets: ["b"] })).toBe(hash({ datasets: ["b"] }, { datasets: ["a"] }));
  const all = [
    hash({ datasets: ["a"] }),
    hash({ datasets: ["a", "b"] }),
    hash({ datasets: ["a"] }, { datasets: ["b"] }),
    hash({ datasets: ["a"], rows }),
    hash({ datasets: ["a"], rows: rows.slice(1) }),
    hash({ datasets: ["a"], hidden: [{ dataset: "a", columns: ["x", "y"] }] }),
    hash({ datasets: ["a"], hidden: [{ dataset: "a", columns: ["x,y"] }] }),
    ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, null].map((value) =>
      hash({ datasets: ["a"], rows: [{ dataset: "a", filter: { kind: "compare", column: "x", op: "less", value } }] }),
    ),
  ];
  expect(new Set(all).size).toBe(all.length);
});

test("others than administrators own what they made, one end user what was made for him", () => {
  const [app, ann, bob] = [
    access("reader"),
    access("reader", {}, { endUser: "ann" }),
    access("reader", {}, { endUser: "bob" }),
  ];
  expect(ann.owns(ann.owner)).toBe(true);
  expect(app.owns(ann.owner)).toBe(true);
  expect(bob.owns(ann.owner)).toBe(false);
  expect(ann.owns(app.owner)).toBe(false);
  expect(ann.owns({ principal: "another token", endUser: "ann" })).toBe(false);
  expect(ann.owns(undefined)).toBe(false);
  expect(access("admin").owns(undefined)).toBe(true);
  expect(access("admin").owns(bob.owner)).toBe(true);
});

test("who shows no token sees nothing", () => {
  expect(NOBODY.mayRead("sales")).toBe(false);
  expect(NOBODY.unbounded).toBe(false);
});
