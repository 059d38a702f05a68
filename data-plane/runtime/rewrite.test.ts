import { describe, expect, it } from 'vitest';
import { Rewrite } from './rewrite.js';

describe('Rewrite', () => {
  const captures = { numbered: ['/v2/shop', '2', 'shop'], named: new Map([['version', '2']]) };

  it.each([
    ['/fixed', '/fixed'],
    ['/$2/$1', '/shop/2'],
    ['/${1}0', '/20'],
    ['/${version}/x', '/2/x'],
    ['/$9/${none}/', '///'],
    ['/cost$$/$', '/cost$/$'],
  ])('%s becomes %s', (template, want) => {
    expect(new Rewrite(template).expand(captures)).toBe(want);
  });
});
