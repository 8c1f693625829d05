/**
 * The form in which two names are the same table to SQL, which compares names without regard to case; composed and
 * decomposed letters look the same to people, too.
 */
export function nameKey(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
