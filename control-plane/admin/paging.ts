import { invalid } from './validate.js';

import type { ListRequest } from '../../proto/gen/sluice/v1/admin_pb.js';

const defaultPageSize = 100;
/** gRPC clients take 4 MiB unless told otherwise; a page ends early to stay below, but never before its first item. */
const maxPageBytes = 2 * 1024 * 1024;

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

export interface Pageable<T> {
  /** Tokens of one list are not taken by another. */
  readonly list: string;
  /** What the next page starts after. */
  mark(item: T): string;
  bytes(item: T): number;
}

/** Cuts a page from `items`, which start after the token's mark and may go on beyond the page. */
export function cutPage<T>(items: readonly T[], request: ListRequest, pageable: Pageable<T>): Page<T> {
  const size = pageSize(request);
  let bytes = 0;
  let end = 0;
  for (const item of items.slice(0, size)) {
    bytes += pageable.bytes(item);
    if (end > 0 && bytes > maxPageBytes) break;
    end++;
  }
  const last = items[end - 1];
  const nextPageToken =
    last === undefined || end === items.length ? '' : encodeToken(pageable.list, pageable.mark(last));
  return { items: items.slice(0, end), nextPageToken };
}

export function pageSize({ pageSize: asked }: ListRequest): number {
  return asked === 0 ? defaultPageSize : asked;
}

/** The mark of a page token, or null for the first page. */
export function pageMark({ pageToken }: ListRequest, list: string): string | null {
  if (pageToken === '') return null;
  const text = Buffer.from(pageToken, 'base64url').toString('utf8');
  const mark = text.slice(list.length + 1);
  if (mark === '' || encodeToken(list, mark) !== pageToken) {
    throw invalid([{ field: 'page_token', description: 'is not a next_page_token of this list' }]);
  }
  return mark;
}

function encodeToken(list: string, mark: string): string {
  return Buffer.from(`${list}:${mark}`).toString('base64url');
}
