/** An error of the person at the page: its message is one line for them. */
export class UsageError extends Error {}
