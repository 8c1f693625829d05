import { boundViolation } from "./bounded-calls.ts";
import { copiesOf, ExpansionMeter } from "./expansion.ts";
import { isAllowedFunction, isAllowedTableFunction } from "./functions.ts";
import {
  castTypes,
  commonFields,
  expressionShapes,
  type FieldKind,
  modifierShapes,
  type NodeShape,
  namedTypes,
  partShapes,
  queryShapes,
  tableShapes,
  typeFields,
} from "./grammar.ts";
import { isSystemName, looksLikeFile, Scope } from "./scope.ts";
import { placeOf, sqlError } from "./sql-error.ts";
import type { SyntaxNode } from "./syntax-tree.ts";

/** Deeper trees are refused, before the recursion here or the engine's own could run out of stack. */
export const MAX_DEPTH = 300;

/** A table of the tree that is no common table expression. */
export interface TableReference {
  readonly dataset: string;
  readonly byteOffset: number;
  readonly hasAlias: boolean;
}

/** Walks a syntax tree and throws SQL_FORBIDDEN at the first thing that is not known to be harmless. */
export class SelectCheck {
  /** Every table that has to be a dataset. */
  readonly tables: TableReference[] = [];
  /** The numbers of the placeholders. */
  readonly placeholders = new Set<number>();
  readonly #sql: string;
  readonly #checks: Readonly<Record<FieldKind, (value: unknown, scope: Scope) => void>> = {
    plain: (value) => this.#plain(value),
    expression: (value, scope) => this.#expression(value, scope),
    expressions: this.#each((item, scope) => this.#expression(item, scope)),
    items: this.#each((item, scope) => this.#selectItem(item, scope)),
    rows: this.#each(this.#each((item, scope) => this.#expression(item, scope))),
    replacements: this.#each((item, scope) => this.#part(item, partShapes.replacement, scope)),
    branches: this.#each((item, scope) => this.#part(item, partShapes.branch, scope)),
    query: (value, scope) => this.#query(value, scope),
    queries: this.#each((item, scope) => this.#query(item, scope)),
    statement: (value, scope) => this.#part(value, partShapes.statement, scope),
    table: (value, scope) => this.#table(value, scope),
    tableFunction: (value, scope) => this.#tableFunction(value, scope),
    type: (value) => this.#type(value),
    modifier: (value, scope) => this.#modifier(value, scope),
    modifiers: this.#each((item, scope) => this.#modifier(item, scope)),
    orders: this.#each((item, scope) => this.#part(item, partShapes.order, scope)),
    pivots: this.#each((item, scope) => this.#part(item, partShapes.pivot, scope)),
    // Checked before the other fields of its query, which need its names.
    ctes: () => undefined,
  };
  /** The last place that a node named, for errors. */
  #near: number | undefined;
  #depth = 0;
  readonly #meter = new ExpansionMeter();

  constructor(sql: string) {
    this.#sql = sql;
  }

  /** Checks the statement node that `parseSelect` answers. */
  run(statement: SyntaxNode): void {
    this.#part(statement, partShapes.statement, new Scope());
  }

  #query(value: unknown, scope: Scope): void {
    const node = this.#node(value);
    const shape = shapeOf(queryShapes, node.type);
    if (!shape) throw this.#forbidden(`the construct ${String(node.type)} is not allowed`);
    let inner = scope;
    this.#meter.apart(() => {
      inner = this.#ctes(node.cte_map, scope);
    });
    this.#meter.selectList(() =>
      this.#fields(node, shape, (name) =>
        name === "right" && node.type === "RECURSIVE_CTE_NODE" ? inner.with(String(node.cte_name)) : inner,
      ),
    );
  }

  /** Checks a WITH list; answers the scope of the query that it stands before. Each sees those before it. */
  #ctes(value: unknown, outer: Scope): Scope {
    if (value === undefined) return outer;
    const { map: entries, ...others } = this.#node(value);
    if (Object.keys(others).length > 0) throw this.#unknown("a WITH list");
    let scope = outer;
    for (const entry of this.#list(entries)) {
      const { key, value: cte, ...rest } = this.#node(entry);
      if (typeof key !== "string" || Object.keys(rest).length > 0) throw this.#unknown("a WITH list");
      if (isSystemName(key) || looksLikeFile(key))
        throw this.#forbidden(
          `a WITH clause can't give the name ${key}, which the engine might take for a file or a system table`,
        );
      this.#part(cte, partShapes.cte, scope);
      scope = scope.with(key);
    }
    return scope;
  }

  #table(value: unknown, scope: Scope): void {
    const node = this.#node(value);
    const type = String(node.type);
    if (type === "SHOW_REF") throw this.#forbidden("DESCRIBE, SHOW and SUMMARIZE are not allowed");
    const shape = shapeOf(tableShapes, type);
    if (!shape) throw this.#forbidden(`the table construct ${type} is not allowed`);
    if (type === "BASE_TABLE") this.#baseTable(node, scope);
    this.#meter.apart(() => this.#fields(node, shape, () => scope));
  }

  #baseTable(node: SyntaxNode, scope: Scope): void {
    const name = node.table_name;
    if (node.catalog_name !== undefined || node.schema_name !== undefined)
      throw this.#forbidden(`a dataset is named without database or schema: ${String(name)}`);
    if (node.at_clause !== undefined) throw this.#forbidden("AT is not allowed");
    if (typeof name !== "string") throw this.#unknown("a table");
    if (scope.has(name)) return;
    if (isSystemName(name)) throw this.#forbidden(`the system table ${name} can't be read`);
    const byteOffset = node.query_location;
    if (typeof byteOffset !== "number")
      throw this.#forbidden(`the table ${name} can't be named this way; write SELECT … FROM`);
    this.tables.push({ dataset: name, byteOffset, hasAlias: typeof node.alias === "string" });
  }

  #expression(value: unknown, scope: Scope): void {
    const node = this.#node(value);
    const name = String(node.class);
    const shape = shapeOf(expressionShapes, name);
    if (!shape || (shape.types && !shape.types.test(String(node.type))))
      throw this.#forbidden(`the expression ${String(node.type)} is not allowed`);
    if (name === "FUNCTION" || name === "WINDOW") this.#call(node, isAllowedFunction);
    if (name === "FUNCTION") this.#bounds(node);
    if (name === "PARAMETER") this.#placeholder(node);
    if (name === "COLUMN_REF") this.#meter.name(this.#list(node.column_names).join("."));
    this.#meter.expression(copiesOf(name, String(node.function_name)), () => this.#fields(node, shape, () => scope));
    if (this.#meter.exceeded)
      throw this.#error("SQL_INVALID", "the SELECT grows too large, as its parts use each other too often");
  }

  #selectItem(value: unknown, scope: Scope): void {
    const { alias } = this.#node(value);
    this.#meter.item(typeof alias === "string" ? alias : undefined, () => this.#expression(value, scope));
  }

  #tableFunction(value: unknown, scope: Scope): void {
    const node = this.#node(value);
    const shape = shapeOf(expressionShapes, "FUNCTION");
    if (!shape || node.class !== "FUNCTION") throw this.#unknown("a table function");
    this.#call(node, isAllowedTableFunction);
    this.#fields(node, shape, () => scope);
  }

  #call(node: SyntaxNode, allowed: (name: string) => boolean): void {
    const name = String(node.function_name);
    if (!allowed(name)) throw this.#forbidden(`the function ${name} is not allowed`, { function: name });
    if (node.catalog !== undefined) throw this.#forbidden(`the function ${name} is named with a database`);
    // `column.upper()` looks like a function of the schema `column`.
    if (isSystemName(String(node.schema)) || node.schema === "pg_catalog")
      throw this.#forbidden(`the function ${name} is named with a system schema`);
  }

  #bounds(node: SyntaxNode): void {
    const name = String(node.function_name);
    const chained = node.schema !== undefined && node.schema !== "main";
    const args = node.children === undefined ? [] : (this.#list(node.children) as readonly SyntaxNode[]);
    // The argument before the dot of `column.lpad(9)` is not among the children.
    const violation = boundViolation(name, chained ? [{}, ...args] : args);
    if (violation) throw this.#forbidden(`the function ${name} is not allowed so: ${violation}`, { function: name });
  }

  #placeholder(node: SyntaxNode): void {
    const identifier = String(node.identifier);
    if (!/^[1-9]\d{0,4}$/.test(identifier))
      throw this.#forbidden(`placeholders are ? or $1, $2, …; $${identifier} is not allowed`);
    this.placeholders.add(Number(identifier));
  }

  #type(value: unknown): void {
    const node = this.#node(value);
    const { id, type_info: info, ...rest } = node;
    if (typeof id !== "string" || Object.keys(rest).length > 0) throw this.#unknown("a type");
    const details = info === undefined ? {} : this.#node(info);
    const strange = Object.keys(details).find((key) => !typeFields.has(key));
    if (strange !== undefined) throw this.#unknown(`the field ${strange} of a type`);
    const known = id === "UNBOUND" ? namedTypes.has(String(details.name).toLowerCase()) : castTypes.has(id);
    if (!known) throw this.#forbidden(`the type ${String(details.name ?? id)} is not allowed`);
    this.#plain(details.user_type_modifiers);
    if (details.child_type !== undefined) this.#deeper(() => this.#type(details.child_type));
    for (const child of details.child_types === undefined ? [] : this.#list(details.child_types))
      this.#deeper(() => this.#type(this.#node(child).second));
  }

  #part(value: unknown, shape: NodeShape, scope: Scope): void {
    this.#fields(this.#node(value), shape, () => scope);
  }

  /** Checks each field of a node by its kind; a field that the shape does not know is refused. */
  #fields(node: SyntaxNode, shape: NodeShape, scopeOf: (field: string) => Scope): void {
    this.#deeper(() => {
      for (const [name, value] of Object.entries(node)) {
        const kind = Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined;
        if (kind) this.#checks[kind](value, scopeOf(name));
        else if (!commonFields.has(name)) throw this.#unknown(`the field ${name} of ${String(node.type)}`);
      }
    });
  }

  #modifier(value: unknown, scope: Scope): void {
    const node = this.#node(value);
    const shape = shapeOf(modifierShapes, node.type);
    if (!shape) throw this.#unknown(String(node.type));
    this.#part(node, shape, scope);
  }

  /** Names, numbers and constants: anything without an expression in it. */
  #plain(value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    if ("class" in value || "node" in value || "function_name" in value)
      throw this.#unknown("an expression among constants");
    this.#deeper(() => {
      for (const item of Object.values(value)) this.#plain(item);
    });
  }

  #each(check: (item: unknown, scope: Scope) => void): (list: unknown, scope: Scope) => void {
    return (list, scope) => {
      for (const item of this.#list(list)) check(item, scope);
    };
  }

  #list(value: unknown): readonly unknown[] {
    if (!Array.isArray(value)) throw this.#unknown("a list");
    return value;
  }

  #node(value: unknown): SyntaxNode {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.#unknown("a node");
    const node = value as SyntaxNode;
    if (typeof node.query_location === "number") this.#near = node.query_location;
    return node;
  }

  #deeper(work: () => void): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.#error("SQL_INVALID", "the SELECT is nested too deeply");
    work();
    this.#depth -= 1;
  }

  #unknown(what: string): Error {
    return this.#forbidden(`the SELECT holds ${what} that is not known to be harmless`);
  }

  #forbidden(message: string, metadata: Readonly<Record<string, string>> = {}): Error {
    return this.#error("SQL_FORBIDDEN", message, metadata);
  }

  #error(
    reason: "SQL_INVALID" | "SQL_FORBIDDEN",
    message: string,
    metadata: Readonly<Record<string, string>> = {},
  ): Error {
    return sqlError(reason, message, metadata, this.#near === undefined ? undefined : placeOf(this.#sql, this.#near));
  }
}

function shapeOf(shapes: Readonly<Record<string, NodeShape>>, name: unknown): NodeShape | undefined {
  return typeof name === "string" && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
}
