import type { ReadableVersion, Statement } from "../../engine.ts";
import type { AggregatePlan, Expr, LimitPlan, NamedExpr, Plan, ScanPlan, SortKey, TopPlan } from "../../plan.ts";
import { columnsOf } from "../../plan-columns.ts";
import { quoteIdentifier } from "../quoting.ts";
import { segmentsRelation, versionRelation } from "../version-relation.ts";
import { renderExpr } from "./expressions.ts";
import { renderMeasure } from "./measures.ts";
import { Parameters } from "./parameters.ts";
import { Aliases, nest, type Select, selectText } from "./select.ts";

/** Gives the version that a scan reads. */
export type Resolve = (dataset: string, version: number) => ReadableVersion;

/** Renders a plan as one statement; the columns of the result have the plan's names, in its order. */
export function renderPlan(plan: Plan, resolve: Resolve): Statement {
  const renderer = new Renderer(resolve);
  const select = renderer.render(plan);
  const text = selectText(
    select,
    [...select.columns].map(([name, sql]) => [sql, name]),
  );
  return { text, parameters: renderer.parameters.values };
}

/** Puts as many steps of a plan into one SELECT as SQL's order of clauses allows. */
class Renderer {
  readonly parameters = new Parameters();
  readonly #aliases = new Aliases();
  readonly #resolve: Resolve;

  constructor(resolve: Resolve) {
    this.#resolve = resolve;
  }

  render(plan: Plan): Select {
    switch (plan.op) {
      case "scan":
        return this.#scan(plan);
      case "filter":
        return this.#filter(this.render(plan.input), plan.condition);
      case "project":
        return this.#project(this.render(plan.input), plan.columns);
      case "aggregate":
        return plan.rollup ? this.#rollup(plan, plan.rollup) : this.#aggregate(plan);
      case "top":
        return this.#top(plan);
      case "sort":
        return this.#sort(this.render(plan.input), plan.keys);
      case "limit":
        return plan.counted ? this.#limitCounted(plan, plan.counted) : this.#limit(plan);
      case "unionAll":
        return this.#unionAll(plan.inputs);
    }
  }

  #expr(expr: Expr, { columns }: Select): string {
    return renderExpr(expr, {
      parameters: this.parameters,
      column: (name) => {
        const sql = columns.get(name);
        if (sql === undefined) throw new TypeError(`the plan has no column ${JSON.stringify(name)} here`);
        return sql;
      },
    });
  }

  #scan({ dataset, version, columns, ordered, segments, position }: ScanPlan): Select {
    const alias = this.#aliases.relation();
    const readable = this.#resolve(dataset, version);
    if (segments === undefined) {
      const references = columns.map((name) => [name, `${alias}.${quoteIdentifier(name)}`] as const);
      const relation = versionRelation(readable, columns, { ordered: ordered === true });
      return { from: `${relation} AS ${alias}`, columns: new Map(references), where: [] };
    }
    // Where a row is stored tells of those before it that are left out.
    if (readable.view?.rows !== undefined)
      throw new TypeError(`only some rows of ${JSON.stringify(dataset)} can be read`);
    // The columns get other names here, as one of them may be called like DuckDB's own columns for the position.
    const places = new Map(readable.columns.map(({ name }, index) => [name, `c${index}`]));
    const references = new Map(columns.map((name) => [name, `${alias}.${places.get(name)}`]));
    if (position !== undefined) {
      references.set(position.segment, `(${alias}.file_index + ${segments.from})`);
      references.set(position.row, `${alias}.file_row_number`);
    }
    const paths = readable.segmentPaths.slice(segments.from, segments.to);
    const from = `${segmentsRelation(paths)} AS ${alias}(${[...places.values()].join(", ")})`;
    return { from, columns: references, where: [] };
  }

  #filter(input: Select, condition: Expr): Select {
    const select = this.#rows(input);
    return { ...select, where: [...select.where, this.#expr(condition, select)] };
  }

  #project(input: Select, projected: readonly NamedExpr[]): Select {
    const select = canReplaceColumns(input, projected) ? input : this.#nestedInOrder(input);
    return { ...select, columns: new Map(projected.map(({ name, expr }) => [name, this.#expr(expr, select)])) };
  }

  #aggregate({ input, groups, measures }: AggregatePlan): Select {
    const select = this.#rows(this.render(input));
    const columns = new Map(groups.map(({ name, expr }) => [name, this.#expr(expr, select)]));
    const context = {
      parameters: this.parameters,
      column: (name: string) => this.#expr({ kind: "column", name }, select),
    };
    for (const measure of measures) columns.set(measure.name, renderMeasure(measure, context));
    return { ...select, columns, groupBy: groups.map((_, index) => index + 1).join(", ") };
  }

  #rollup(
    { input, groups, measures }: AggregatePlan,
    { levels, levelColumn }: NonNullable<AggregatePlan["rollup"]>,
  ): Select {
    // GROUPING() takes columns only, so keys are computed one SELECT further in.
    const select = this.#rows(this.render(input));
    const keys = groups.map(({ expr }) => this.#expr(expr, select));
    const { select: outer, extra } = nest(select, this.#aliases, keys);
    const columns = new Map(groups.map(({ name }, index) => [name, extra[index] ?? ""]));
    const sets = [groups.map(({ name }) => name), ...levels].map(
      (names) => `(${names.map((name) => columns.get(name) ?? "").join(", ")})`,
    );
    const context = {
      parameters: this.parameters,
      column: (name: string) => this.#expr({ kind: "column", name }, outer),
    };
    const measured = measures.map((measure) => [measure.name, renderMeasure(measure, context)] as const);
    const level = extra.map((key) => `grouping(${key})`).join(" + ");
    return this.#nested({
      ...outer,
      columns: new Map([...columns, ...measured, [levelColumn, level]]),
      groupBy: `GROUPING SETS (${sets.join(", ")})`,
    });
  }

  #top({ input, column, ranking, by, ascending, count, othersColumn }: TopPlan): Select {
    const select = this.#rows(this.render(input));
    const ranked = this.#sort(this.render(ranking), [
      { expr: { kind: "column", name: by }, descending: !ascending, nullsFirst: false },
      { expr: { kind: "column", name: column }, descending: false, nullsFirst: false },
    ]);
    const alias = this.#aliases.relation();
    const first = selectText({ ...ranked, limit: count }, [
      [ranked.columns.get(column) ?? "", "c0"],
      ["TRUE", "c1"],
    ]);
    const key = this.#expr({ kind: "column", name: column }, select);
    const join = othersColumn === undefined ? "JOIN" : "LEFT JOIN";
    const from = `${select.from} ${join} (${first}) AS ${alias} ON ${key} IS NOT DISTINCT FROM ${alias}.c0`;
    const columns = new Map(select.columns);
    if (othersColumn !== undefined) {
      columns.set(column, `CASE WHEN ${alias}.c1 THEN ${key} END`);
      columns.set(othersColumn, `(${alias}.c1 IS NULL)`);
    }
    return { ...select, from, columns };
  }

  #sort(input: Select, keys: readonly SortKey[]): Select {
    const select = isFinished(input) ? this.#nested(input) : input;
    const orderBy = keys.map(({ expr, descending, nullsFirst }) => ({
      sql: this.#expr(expr, select),
      direction: `${descending ? " DESC" : ""} NULLS ${nullsFirst ? "FIRST" : "LAST"}`,
    }));
    return { ...select, orderBy };
  }

  #limit({ input, limit, offset }: LimitPlan): Select {
    const rows = this.render(input);
    const select = rows.limit !== undefined || rows.offset !== undefined ? this.#nestedInOrder(rows) : rows;
    return { ...select, ...(limit !== undefined && { limit }), ...(offset !== undefined && { offset }) };
  }

  #limitCounted({ input, limit, offset = 0 }: LimitPlan, counted: Expr): Select {
    const rows = this.render(input);
    const ungrouped = rows.groupBy === undefined ? rows : this.#nestedInOrder(rows);
    const keys = ungrouped.orderBy ?? [];
    const isCounted = this.#expr(counted, ungrouped);
    const order = keys.map(({ sql, direction }) => `${sql}${direction}`).join(", ");
    const number = `row_number() OVER (PARTITION BY ${isCounted}${order === "" ? "" : ` ORDER BY ${order}`})`;
    const { orderBy: _, ...unordered } = ungrouped;
    const { select, extra } = nest(unordered, this.#aliases, [isCounted, number, ...keys.map(({ sql }) => sql)]);
    const [flag = "", position = "", ...references] = extra;
    const last = limit === undefined ? "" : ` AND ${position} <= ${offset + limit}`;
    return {
      ...select,
      where: [`(NOT ${flag} OR (${position} > ${offset}${last}))`],
      orderBy: references.map((sql, index) => ({ sql, direction: keys[index]?.direction ?? "" })),
    };
  }

  #unionAll(inputs: readonly Plan[]): Select {
    const selects = inputs.map((input) => this.render(input));
    const names = [...(selects[0]?.columns.keys() ?? [])];
    const parts = selects.map((select) => {
      const outputs = names.map((name, index) => [select.columns.get(name) ?? "", `c${index}`] as const);
      return `(${selectText(select, outputs)})`;
    });
    const alias = this.#aliases.relation();
    return {
      from: `(${parts.join(" UNION ALL ")}) AS ${alias}`,
      columns: new Map(names.map((name, index) => [name, `${alias}.c${index}`])),
      where: [],
    };
  }

  /** Rows whose columns are mere references, so that they can be used often without being written often. */
  #rows(select: Select): Select {
    const plain = [...select.columns.values()].every(isReference);
    return plain && !isFinished(select) && select.groupBy === undefined ? select : this.#nested(select);
  }

  #nested(select: Select): Select {
    return nest(select, this.#aliases).select;
  }

  /** Nests and sorts again: the order of a subquery is not promised to the outside. */
  #nestedInOrder(select: Select): Select {
    const { orderBy, ...unordered } = select;
    if (orderBy === undefined) return this.#nested(select);
    const cut = select.limit !== undefined || select.offset !== undefined;
    const inner = cut ? select : unordered;
    const { select: outer, extra } = nest(
      inner,
      this.#aliases,
      orderBy.map(({ sql }) => sql),
    );
    return { ...outer, orderBy: extra.map((sql, index) => ({ sql, direction: orderBy[index]?.direction ?? "" })) };
  }
}

function isFinished({ orderBy, limit, offset }: Select): boolean {
  return orderBy !== undefined || limit !== undefined || offset !== undefined;
}

/**
 * Whether new columns can stand in the same SELECT. Not behind GROUP BY, which names its columns by place; and expressions
 * over expressions are nested, as the text would grow with every level otherwise.
 */
function canReplaceColumns({ columns, groupBy }: Select, projected: readonly NamedExpr[]): boolean {
  if (groupBy !== undefined) {
    const names = [...columns.keys()];
    return (
      projected.length === names.length &&
      projected.every(({ name, expr }, index) => isColumn(expr, name) && name === names[index])
    );
  }
  return projected.every(({ expr }) => {
    if (expr.kind === "column") return true;
    return [...columnsOf(expr)].every((name) => isReference(columns.get(name) ?? ""));
  });
}

function isColumn(expr: Expr, name: string): boolean {
  return expr.kind === "column" && expr.name === name;
}

/** Whether the SQL is a mere reference to a column, `t1.c0` or `t1."name"`. */
function isReference(sql: string): boolean {
  return /^t\d+\.(?:c\d+|file_row_number|"(?:[^"]|"")*")$/.test(sql);
}
