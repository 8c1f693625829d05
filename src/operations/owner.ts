/** Whose an operation or an upload is. */
export interface Owner {
  /** Who was let in: a token, by its id, or the name that stands for the driver's own token. */
  readonly principal: string;
  /** For whom, where an app server has said so. */
  readonly endUser?: string;
}
