/** Whose an operation or an upload is. */
export interface Owner {
  /** Who was let in: a token, by its id, or the name that stands for the driver's own token. */
  readonly principal: string;
  /** For whom, where an app server has said so. */
  readonly endUser?: string;
}

/** Who asks for an operation or an upload. */
export interface Whose {
  readonly owner: Owner;
  /** Tells what he may see from what others may; empty or left out: everything. */
  readonly scopeHash?: string;
  /** Whether he may know of what somebody owns, and end it. What has no owner is an administrator's. */
  owns(owner: Owner | undefined): boolean;
}

/** What is known of an operation's asker. */
interface Asked {
  readonly owner?: Owner | undefined;
  readonly scopeHash?: string | undefined;
}

/** Whether somebody may learn what was asked: it is his own, and he saw then what he sees now. */
export function mayKnow(whose: Whose | undefined, { owner, scopeHash = "" }: Asked): boolean {
  return whose === undefined || (whose.owns(owner) && (whose.scopeHash ?? "") === scopeHash);
}

export function isSameOwner(left: Owner | undefined, right: Owner | undefined): boolean {
  return left?.principal === right?.principal && left?.endUser === right?.endUser;
}
