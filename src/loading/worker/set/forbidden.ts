/** Its databases are files that Node's permissions do not cover: the driver's catalog is one. */
const FORBIDDEN = /^(?:node:)?sqlite$/;

/** Whether a module of Node's own is not for packages. */
export function isForbidden(specifier: string): boolean {
  return FORBIDDEN.test(specifier);
}
