import { expect, test } from 'vitest';

import { decide } from './verdict.js';

const serves = (digest: string) => ({ digest, error: '' });
const fails = { digest: '', error: 'connection refused' };
const standing = { current: 'old', pinned: '', held: 0 };

test.each([
  ['the same as before', [serves('old'), serves('old')], standing, null, false, ''],
  ['something new', [serves('new'), serves('new')], standing, 'new', false, ''],
  ['the first descriptors', [serves('new'), fails], { ...standing, current: '' }, 'new', false, ''],
  ['two things', [serves('old'), serves('new')], standing, null, true, 'endpoints serve different descriptors'],
  [
    'two things, mostly new',
    [serves('new'), serves('new'), serves('old')],
    standing,
    null,
    true,
    'those in force stay until all serve others',
  ],
  ['two new things', [serves('b'), serves('a'), serves('b')], standing, 'b', true, 'those of most endpoints are taken'],
  ['two first things, as often', [serves('b'), serves('a')], { ...standing, current: '' }, 'a', true, 'different'],
  ['new things, and one fails', [serves('new'), fails], standing, null, false, 'not all could be read: connection ref'],
  ['new things, and one fails for long', [serves('new'), fails], { ...standing, held: 3 }, 'new', false, ''],
  ['the same, and one fails', [serves('old'), fails], standing, null, false, ''],
  ['nothing', [fails, fails], standing, null, false, 'connection refused'],
  ['nothing, as there are none', [], standing, null, false, 'the service has no endpoint'],
  ['the pinned one', [serves('pin')], { ...standing, pinned: 'pin' }, 'pin', false, ''],
  [
    'the pinned one among others',
    [serves('new'), serves('pin'), serves('new')],
    { ...standing, pinned: 'pin' },
    'pin',
    true,
    '',
  ],
  [
    'others than the pinned one in force',
    [serves('new'), serves('pin')],
    { ...standing, current: 'pin', pinned: 'pin' },
    null,
    true,
    'some endpoints serve other descriptors than the pinned ones',
  ],
  [
    'never the pinned one',
    [serves('new')],
    { ...standing, pinned: 'pin' },
    null,
    true,
    'no endpoint serves the pinned descriptors',
  ],
] as const)('DS2 endpoints that serve %s', (_, findings, given, take, disagreement, error) => {
  const verdict = decide(findings, given);

  expect(verdict).toEqual({
    take,
    disagreement,
    error: error === '' ? '' : (expect.stringContaining(error) as string),
  });
});
