import { expect, test } from 'vitest';

import { subjectsOf } from './bus.js';

test('every subject names the cluster and the version of the protocol', () => {
  const subjects = subjectsOf('main');

  expect(subjects.configPatch).toBe('gw.main.v1.cfg.patch');
  expect(subjects.nodeStatus('n1')).toBe('gw.main.v1.node.n1.status');
  expect(subjects.blobRequestOf('cp-1')).toBe('gw.main.v1.req.blob.cp-1');
});

test.each([
  ['node.example.org-8080', 'gw.main.v1.node.node%2Eexample%2Eorg-8080.status'],
  ['*', 'gw.main.v1.node.%2A.status'],
  ['>', 'gw.main.v1.node.%3E.status'],
  ['a b', 'gw.main.v1.node.a%20b.status'],
])('the node id %j is one token', (nodeId, subject) => {
  expect(subjectsOf('main').nodeStatus(nodeId)).toBe(subject);
});

test.each(['', 'x'.repeat(257)])('an empty or endless name is refused', (name) => {
  expect(() => subjectsOf(name)).toThrow('the name of the cluster must have 1 to 256 characters');
  expect(() => subjectsOf('main').nodeStatus(name)).toThrow('the node id must have 1 to 256 characters');
});
