import { describe, expect, it } from "vitest";
import { chooseKind, sourceKinds } from "../../../src/sources/kinds.ts";
import { serverOf, settingsOf } from "../../../src/sources/mysql/options.ts";
import { thrownBy } from "../../helpers/thrown.ts";

const serverAt = (uri: string, options: Readonly<Record<string, unknown>> = {}) => serverOf({ uri, options });

describe("the URL of a MySQL or MariaDB server", () => {
  it.each(["mysql://u@h/d", "mariadb://u@h/d", "jdbc:mysql://h/d?user=u", "jdbc:mariadb://u@h:3306/d"])(
    "%s chooses the kind and says where it is",
    (uri) => {
      expect(chooseKind(sourceKinds, { format: undefined, uri }).kind).toBe("mysql");
      expect(serverAt(uri)).toMatchObject({ hosts: [{ host: "h", port: 3306 }], database: "d", user: "u" });
    },
  );

  it.each([
    ["sslMode=VERIFY_IDENTITY", { tls: { mode: "verify-full" } }],
    ["sslMode=trust", { tls: { mode: "require" } }],
    ["useSSL=false", { tls: { mode: "disable" } }],
    ["useSSL=true&requireSSL=true", { tls: { mode: "require" } }],
    ["verifyServerCertificate=true&useSSL=true&requireSSL=true", { tls: { mode: "verify-ca" } }],
    ["useSSL=true&verifyServerCertificate=false", { tls: { mode: "prefer" } }],
    ["serverSslCert=/ca.pem", { tls: { mode: "verify-full", caFile: "/ca.pem" } }],
    ["connectTimeout=2500", { connectTimeoutMs: 3_000 }],
    ["zeroDateTimeBehavior=CONVERT_TO_NULL", { zeroDates: "null" }],
    ["zeroDateTimeBehavior=EXCEPTION", { zeroDates: "fail" }],
    ["useCompression=true", { compress: true }],
    ["useServerPrepStmts=true&tcpKeepAlive=false", { compress: false }],
  ])("honours %s", (query, expected) => {
    expect(serverAt(`jdbc:mysql://u@h/d?${query}`)).toMatchObject(expected);
  });

  it.each([
    ["tinyInt1isBit=true", "INVALID_URL_PARAMETER", /tinyInt1isBit=true.*always a number/],
    ["zeroDateTimeBehavior=ROUND", "INVALID_URL_PARAMETER", /takes EXCEPTION/],
    ["serverTimezone=Europe/Berlin", "INVALID_URL_PARAMETER", /always UTC/],
    ["useSSL=maybe", "INVALID_URL_PARAMETER", /true or false/],
    ["allowMultiQueries=true", "INVALID_URL_PARAMETER", /one statement/],
    ["connectTimeout=0", "INVALID_URL_PARAMETER", /above 0/],
    ["sslMode=REQUIRED&useSSL=false", "INVALID_URL_PARAMETER", /contradicts/],
    ["useSsl=true", "UNKNOWN_URL_PARAMETER", /useSSL/],
    ["password=x", "INVALID_CONNECTION", /password/],
  ])("refuses %s by name", (query, reason, message) => {
    const error = thrownBy(() => serverAt(`jdbc:mysql://u@h/d?${query}`));
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(message);
  });

  it("needs a user, and a name to check a certificate against", () => {
    expect(thrownBy(() => serverAt("mysql://h/d")).message).toMatch(/lacks a user/);
    expect(thrownBy(() => serverAt("mysql://u@10.0.0.1/d", { tls: "verify-full" })).message).toMatch(/verify-ca/);
    expect(serverAt("mysql://u@10.0.0.1/d", { tls: "verify-ca" }).tls.mode).toBe("verify-ca");
  });
});

describe("options of a source in MySQL", () => {
  it("say which rows, how zero dates and times are read, and how rows travel", () => {
    expect(settingsOf({ table: "a.b", zeroDates: "null", times: "seconds", transfer: "rows" })).toMatchObject({
      relation: { kind: "table", schema: "a", table: "b" },
      zeroDates: "null",
      times: "seconds",
      transfer: "rows",
    });
    expect(settingsOf({})).toMatchObject({
      relation: undefined,
      zeroDates: undefined,
      times: "time",
      transfer: "text",
    });
  });

  it("are refused by name", () => {
    expect(thrownBy(() => settingsOf({ zeroDates: "round" })).reason).toBe("INVALID_OPTION");
    expect(thrownBy(() => settingsOf({ zeroDate: "null" })).reason).toBe("UNKNOWN_OPTION");
  });
});
