import { expect, test } from 'vitest';

import { subjectsOf } from './bus.js';

test('every subject names the cluster and the version of the protocol', () => {
  const subjects = subjectsOf('main');

  expect(subjects.configPatch).toBe('gw.main.v1.cfg.patch');
  expect(subjects.nodeStatus('n1')).toBe('gw.main.v1.node.n1.status');
  expect(subjects.blobRequestOf('cp-1')).toBe('gw.main.v1.req.blob.cp-1');
});

test.each(['', 'a.b', '*', '>', 'a b', 'ä', 'x'.repeat(129)])('the name %j cannot become part of a subject', (name) => {
  expect(() => subjectsOf(name)).toThrow('cluster');
  expect(() => subjectsOf('main').nodeStatus(name)).toThrow('node id');
});
