import { toJson, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { ChangeAction, type ResourceChange } from '../../proto/gen/sluice/v1/admin_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { FileProblem } from './source.js';
import { writeMessage } from './write.js';

export type OutputFormat = 'table' | 'yaml' | 'json';

/** Where a command writes; standard output and error outside tests. */
export interface Output {
  line(text: string): void;
  error(text: string): void;
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}

/** Resources in the spelling of the config file (yaml), or as the API's JSON. */
export function renderMessages<D extends DescMessage>(desc: D, messages: readonly MessageShape<D>[], format: 'yaml' | 'json'): string {
  if (format === 'json') return JSON.stringify(messages.map((message) => toJson(desc, message, { useProtoFieldName: true })), null, 2);
  return stringify(messages.map((message) => writeMessage(desc, message))).trimEnd();
}

const actionSigns: Readonly<Record<ChangeAction, string>> = {
  [ChangeAction.UNSPECIFIED]: ' ',
  [ChangeAction.CREATE]: '+',
  [ChangeAction.UPDATE]: '~',
  [ChangeAction.DELETE]: '-',
};

/** `~ route orders`, and under it a line per field that differs. */
export function changeLines(changes: readonly ResourceChange[]): string[] {
  return changes.flatMap(({ action, kind, name, fields }) => [
    `${actionSigns[action]} ${kindWord(kind)} ${name}`,
    ...fields.map(({ path, before, after }) => `    ${path}: ${before || '(unset)'} -> ${after || '(unset)'}`),
  ]);
}

export function kindWord(kind: Kind): string {
  return (Kind[kind] ?? 'unknown').toLowerCase();
}

/** `shop.yaml:12: route "orders" paths[0]: must be …` */
export function problemLine({ file, line, resource, field, reason }: FileProblem): string {
  const place = line > 0 ? `${file}:${line}` : file;
  return `${place}: ${[resource, field].filter((part) => part !== '').join(' ')}${resource || field ? ': ' : ''}${reason}`;
}
