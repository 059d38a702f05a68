import { isHeaderAt } from '../../headers.js';

/** What is done with a field. `special` ones never pass unseen, `forwarded` ones not in requests, of whose client they tell. */
export type FieldKind =
  | 'plain'
  | 'date'
  | 'host'
  | 'expect'
  | 'connection'
  | 'keep-alive'
  | 'content-length'
  | 'transfer-encoding'
  | 'forwarded'
  | 'special';

/** By the length of its name and its first letter nearly every field is told. */
export function kindOf(text: string, start: number, end: number): FieldKind {
  switch (end - start) {
    case 2:
      return isHeaderAt(text, start, 'te') ? 'special' : 'plain';
    case 3:
      return isHeaderAt(text, start, 'via') ? 'special' : 'plain';
    case 4:
      if (isHeaderAt(text, start, 'date')) return 'date';
      return isHeaderAt(text, start, 'host') ? 'host' : 'plain';
    case 6:
      return isHeaderAt(text, start, 'expect') ? 'expect' : 'plain';
    case 7:
      return isHeaderAt(text, start, 'upgrade') ? 'special' : 'plain';
    case 9:
      return isHeaderAt(text, start, 'x-real-ip') ? 'forwarded' : 'plain';
    case 10:
      if (isHeaderAt(text, start, 'connection')) return 'connection';
      return isHeaderAt(text, start, 'keep-alive') ? 'keep-alive' : 'plain';
    case 12:
      return isHeaderAt(text, start, 'x-request-id') ? 'forwarded' : 'plain';
    case 14:
      if (isHeaderAt(text, start, 'content-length')) return 'content-length';
      return isHeaderAt(text, start, 'http2-settings') || isHeaderAt(text, start, 'x-sluice-error')
        ? 'special'
        : 'plain';
    case 17:
      if (isHeaderAt(text, start, 'transfer-encoding')) return 'transfer-encoding';
      return isHeaderAt(text, start, 'x-forwarded-') ? 'forwarded' : 'plain';
    case 15:
    case 16:
    case 18:
    case 19:
    case 25:
      if (isHeaderAt(text, start, 'x-forwarded-')) return 'forwarded';
      return isHeaderAt(text, start, 'proxy-') ? 'special' : 'plain';
    default:
      return 'plain';
  }
}
