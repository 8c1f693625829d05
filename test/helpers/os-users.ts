import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Making users takes root. */
const mayMakeUsers = process.getuid?.() === 0;

export interface OsUser {
  readonly name: string;
  /** A command that runs the rest of its arguments as this user, with all its groups and nothing of ours. */
  readonly as: readonly string[];
}

export interface OsUsers extends AsyncDisposable {
  /** The group of all but the last. */
  readonly group: { readonly name: string; readonly gid: number };
  readonly members: readonly OsUser[];
  readonly stranger: OsUser;
}

/** Makes users, each with a group of its own besides the common one. Disposing removes them. Fails unless root asks. */
export async function makeUsers(members: number): Promise<OsUsers> {
  if (!mayMakeUsers) throw new Error("this test makes users of the system: run it as root");
  const id = randomBytes(4).toString("hex");
  const group = `drvg${id}`;
  const names = Array.from({ length: members + 1 }, (_, index) => `drv${id}${index}`);
  const remove = async () => {
    for (const name of names) await run("userdel", [name]).catch(() => undefined);
    await run("groupdel", [group]).catch(() => undefined);
  };
  try {
    await run("groupadd", [group]);
    for (const [index, name] of names.entries()) {
      const member = index < members ? ["--groups", group] : [];
      await run("useradd", ["--user-group", "--no-create-home", "--shell", "/bin/false", ...member, name]);
    }
    const { stdout } = await run("getent", ["group", group]);
    const users = names.map((name) => ({
      name,
      as: ["setpriv", `--reuid=${name}`, `--regid=${name}`, "--init-groups", "--inh-caps=-all", "--"],
    }));
    const stranger = users.pop();
    if (stranger === undefined) throw new Error("no users");
    const gid = Number(stdout.split(":")[2]);
    return { group: { name: group, gid }, members: users, stranger, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
