import { toJson } from '@bufbuild/protobuf';

import { ChangeAction } from '../../proto/gen/sluice/v1/admin_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf';
import type { ResourceChange } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { FileProblem } from './config-file/config-file.js';

/** Where a command writes; standard output and error outside tests. */
export interface Output {
  line(text: string): void;
  error(text: string): void;
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** The API's JSON, with its field names. */
export function jsonOf(desc: DescMessage, message: Message): unknown {
  return toJson(desc, message as MessageShape<DescMessage>, { useProtoFieldName: true });
}

const actionSigns: Readonly<Record<ChangeAction, string>> = {
  [ChangeAction.UNSPECIFIED]: ' ',
  [ChangeAction.CREATE]: '+',
  [ChangeAction.UPDATE]: '~',
  [ChangeAction.DELETE]: '-',
};

/** `~ route orders`, and under it a line per field that differs, and per difference for callers of a schema. */
export function changeLines(changes: readonly ResourceChange[]): string[] {
  return changes.flatMap(({ action, kind, name, fields, schemaChanges }) => [
    `${actionSigns[action]} ${kindWord(kind)} ${name}`,
    ...fields.map(({ path, before, after }) => `    ${path}: ${before || '(unset)'} -> ${after || '(unset)'}`),
    ...schemaChanges.map(
      ({ breaking, symbol, description }) =>
        `    ${breaking ? 'breaking' : 'compatible'}: ${[symbol, description].filter((part) => part !== '').join(': ')}`,
    ),
  ]);
}

export function kindWord(kind: Kind): string {
  return (Kind[kind] ?? 'unknown').toLowerCase();
}

/** `shop.yaml:12: route "orders" paths[0]: must be …` */
export function problemLine({ file, line, resource, field, reason }: FileProblem): string {
  const where = line > 0 ? `${file}:${line}` : file;
  const what = [resource, field].filter((part) => part !== '').join(' ');
  return [where, what, reason].filter((part) => part !== '').join(': ');
}
