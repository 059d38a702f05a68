/**
 * What an upload may make whoever loads it do. The largest public collection, googleapis, has 6,878 files, 59,003 declarations, 281
 * fields in one message, 766 values in one enum, 156 methods in one service and packages of 6 names.
 */
export const limits = {
  files: 20_000,
  imports: 10_000,
  /** Messages, enums and services together. */
  declarations: 250_000,
  extensions: 50_000,
  fields: 10_000,
  values: 50_000,
  methods: 5_000,
  /** protoc refuses messages nested deeper than 32; nobody writes a tenth of it. */
  nesting: 32,
  packageNames: 32,
} as const;

/** Text of a descriptor in a message for people: it may hold anything, line breaks and escapes of terminals too. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** `text` as it is where it is a name, else quoted. */
export function plainName(text: string): string {
  return /^[\w.]{1,512}$/.test(text) ? text : quote(text);
}
