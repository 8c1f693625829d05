/**
 * The shape of the syntax trees that are allowed. A node, a type of node or a field that is not in these tables is refused, so
 * that what a new version of the engine adds stays shut until somebody has looked at it.
 */

/** How the value of a field is checked. `plain` holds names, numbers and constants, never another expression. */
export type FieldKind =
  | "plain"
  | "expression"
  | "expressions"
  | "items"
  | "rows"
  | "replacements"
  | "branches"
  | "query"
  | "queries"
  | "statement"
  | "table"
  | "tableFunction"
  | "type"
  | "modifier"
  | "modifiers"
  | "orders"
  | "pivots"
  | "ctes";

export interface NodeShape {
  readonly fields: Readonly<Record<string, FieldKind>>;
  /** The values of `type` that are known; all when left out. */
  readonly types?: RegExp;
}

const comparison =
  "COMPARE_(EQUAL|NOTEQUAL|LESSTHAN|GREATERTHAN|LESSTHANOREQUALTO|GREATERTHANOREQUALTO|(NOT_)?DISTINCT_FROM)";

/** Expressions by class. */
export const expressionShapes: Readonly<Record<string, NodeShape>> = {
  CONSTANT: { fields: { value: "plain" } },
  COLUMN_REF: { fields: { column_names: "plain" } },
  POSITIONAL_REFERENCE: { fields: { index: "plain" } },
  PARAMETER: { fields: { identifier: "plain" } },
  FUNCTION: {
    fields: {
      function_name: "plain",
      schema: "plain",
      children: "expressions",
      filter: "expression",
      order_bys: "modifier",
      distinct: "plain",
      is_operator: "plain",
    },
  },
  WINDOW: {
    types:
      /^WINDOW_(AGGREGATE|RANK|RANK_DENSE|PERCENT_RANK|CUME_DIST|NTILE|ROW_NUMBER|FIRST_VALUE|LAST_VALUE|LEAD|LAG|NTH_VALUE|FILL)$/,
    fields: {
      function_name: "plain",
      schema: "plain",
      children: "expressions",
      partitions: "expressions",
      orders: "orders",
      arg_orders: "orders",
      start: "plain",
      end: "plain",
      start_expr: "expression",
      end_expr: "expression",
      offset_expr: "expression",
      default_expr: "expression",
      filter_expr: "expression",
      exclude_clause: "plain",
      ignore_nulls: "plain",
      distinct: "plain",
    },
  },
  CAST: { fields: { child: "expression", cast_type: "type", try_cast: "plain" } },
  CASE: { fields: { case_checks: "branches", else_expr: "expression" } },
  COMPARISON: { types: new RegExp(`^${comparison}$`), fields: { left: "expression", right: "expression" } },
  CONJUNCTION: { types: /^CONJUNCTION_(AND|OR)$/, fields: { children: "expressions" } },
  OPERATOR: {
    types:
      /^(OPERATOR_(NOT|IS_NULL|IS_NOT_NULL|COALESCE|TRY|UNPACK|NULLIF)|COMPARE_(NOT_)?IN|GROUPING_FUNCTION|ARRAY_EXTRACT|ARRAY_SLICE|ARRAY_CONSTRUCTOR|STRUCT_EXTRACT|ARROW)$/,
    fields: { children: "expressions" },
  },
  SUBQUERY: {
    fields: { subquery_type: "plain", subquery: "statement", child: "expression", comparison_type: "plain" },
  },
  BETWEEN: { fields: { input: "expression", lower: "expression", upper: "expression" } },
  COLLATE: { fields: { child: "expression", collation: "plain" } },
  STAR: {
    fields: {
      relation_name: "plain",
      exclude_list: "plain",
      qualified_exclude_list: "plain",
      rename_list: "plain",
      replace_list: "replacements",
      columns: "plain",
      unpacked: "plain",
      expr: "expression",
    },
  },
  LAMBDA: { fields: { lhs: "expression", expr: "expression", syntax_type: "plain" } },
};

/** Queries by type. */
export const queryShapes: Readonly<Record<string, NodeShape>> = {
  SELECT_NODE: {
    fields: {
      modifiers: "modifiers",
      cte_map: "ctes",
      select_list: "items",
      from_table: "table",
      where_clause: "expression",
      group_expressions: "expressions",
      group_sets: "plain",
      aggregate_handling: "plain",
      having: "expression",
      qualify: "expression",
      sample: "plain",
    },
  },
  SET_OPERATION_NODE: {
    fields: {
      modifiers: "modifiers",
      cte_map: "ctes",
      setop_type: "plain",
      setop_all: "plain",
      left: "query",
      right: "query",
      children: "queries",
    },
  },
  RECURSIVE_CTE_NODE: {
    fields: {
      modifiers: "modifiers",
      cte_map: "ctes",
      cte_name: "plain",
      union_all: "plain",
      left: "query",
      right: "query",
      aliases: "plain",
      key_targets: "expressions",
    },
  },
};

/** Items of FROM by type. */
export const tableShapes: Readonly<Record<string, NodeShape>> = {
  EMPTY: { fields: {} },
  BASE_TABLE: { fields: { table_name: "plain", column_name_alias: "plain", sample: "plain" } },
  SUBQUERY: { fields: { subquery: "statement", column_name_alias: "plain", sample: "plain" } },
  JOIN: {
    fields: {
      left: "table",
      right: "table",
      condition: "expression",
      join_type: "plain",
      ref_type: "plain",
      using_columns: "plain",
    },
  },
  TABLE_FUNCTION: {
    fields: { function: "tableFunction", column_name_alias: "plain", with_ordinality: "plain", sample: "plain" },
  },
  EXPRESSION_LIST: { fields: { values: "rows", expected_names: "plain", column_name_alias: "plain" } },
  PIVOT: {
    fields: {
      source: "table",
      aggregates: "expressions",
      pivots: "pivots",
      groups: "plain",
      unpivot_names: "plain",
      include_nulls: "plain",
      column_name_alias: "plain",
    },
  },
};

/** ORDER BY, LIMIT and DISTINCT by type. */
export const modifierShapes: Readonly<Record<string, NodeShape>> = {
  ORDER_MODIFIER: { fields: { orders: "orders" } },
  LIMIT_MODIFIER: { fields: { limit: "expression", offset: "expression" } },
  LIMIT_PERCENT_MODIFIER: { fields: { limit: "expression", offset: "expression" } },
  DISTINCT_MODIFIER: { fields: { distinct_on_targets: "expressions" } },
};

/** Parts that have no type of their own. */
export const partShapes = {
  branch: { fields: { when_expr: "expression", then_expr: "expression" } },
  replacement: { fields: { key: "plain", value: "expression" } },
  order: { fields: { null_order: "plain", expression: "expression" } },
  pivot: { fields: { pivot_expressions: "expressions", unpivot_names: "plain", entries: "plain" } },
  statement: { fields: { node: "query", named_param_map: "plain" } },
  cte: { fields: { query: "statement", aliases: "plain", materialized: "plain", key_targets: "expressions" } },
} as const satisfies Record<string, NodeShape>;

/** Fields that every node may have. */
export const commonFields: ReadonlySet<string> = new Set(["class", "type", "alias", "query_location"]);

/** Types that a cast may name, as the tree spells them. None of them reads anything. */
export const castTypes: ReadonlySet<string> = new Set([
  ...["BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"],
  ...["UHUGEINT", "BIGNUM", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "BLOB", "BIT", "UUID", "DATE", "TIME", "TIME_NS"],
  ...["TIME WITH TIME ZONE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"],
  ...["INTERVAL", "LIST", "ARRAY", "STRUCT", "MAP", "UNION", "NULL", '"NULL"'],
]);

/** Types that the parser leaves to be found by name. */
export const namedTypes: ReadonlySet<string> = new Set(["json", "enum"]);

/** Fields of a type's description. */
export const typeFields: ReadonlySet<string> = new Set([
  ...["type", "alias", "width", "scale", "size", "child_type", "child_types", "name", "user_type_modifiers"],
]);
