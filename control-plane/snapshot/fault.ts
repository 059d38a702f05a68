/** What is wrong within one resource; a Problem is a fault with the resource's name on it. */
export interface Fault {
  /** Path within the resource in proto names; '' for the whole of it. */
  readonly field: string;
  readonly reason: string;
}
