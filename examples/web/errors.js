/** An error of the user: its message is one line for them. */
export class UsageError extends Error {}
