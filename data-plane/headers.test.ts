import { describe, expect, it } from 'vitest';
import { FieldBlock, safeFields } from './headers.js';

describe('safeFields', () => {
  it('lets nothing end a field line or begin another', () => {
    const fields = ['Location', 'https://a/\r\nSet-Cookie: x=1', 'X-Nul', 'a\0b', 'X-Wide', 'caf\u00e9 \u20ac'];

    expect(safeFields(fields)).toEqual([
      'Location',
      'https://a/  Set-Cookie: x=1',
      'X-Nul',
      'a b',
      'X-Wide',
      'caf\u00e9  ',
    ]);
  });

  it('leaves out a field whose name is no token', () => {
    expect(safeFields(['X: y\r\nZ', 'v', '', 'v', 'Ok', 'v'])).toEqual(['Ok', 'v']);
  });
});

describe('FieldBlock', () => {
  it('is the list and its field lines', () => {
    const block = new FieldBlock(['Via', '1.1 sluice', 'X-A', '']);

    expect(block.text).toBe('Via: 1.1 sluice\r\nX-A: \r\n');
  });
});
