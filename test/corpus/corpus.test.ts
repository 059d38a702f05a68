import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createFileRegistry, fromBinary, type FileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { beforeAll, expect, test } from 'vitest';
import { habitsOf, loadSchema, schemaBindings, type Schema } from '../../data-plane/transcoder/transcoder.js';
import { Differential } from '../fuzz/codec/differential.js';
import { seededRandom } from '../support/random-message.js';
import { googleapisDescriptorSet } from './googleapis.js';
import { layersOf, roundTrip } from './round-trip.js';

const bindingCount = 15_353;
const collisionCount = 453;
/** The same cases each time, so that a change is what turns this red; `SLUICE_FUZZ_SEED=N` tries others. */
const seed = Number(process.env['SLUICE_FUZZ_SEED'] ?? 20_000);

/**
 * Firestore tells a document from a collection by whether the number of segments is even, which templates cannot say: whatever
 * is a document's path is taken by the rule for the collection within one, which goes on behind the `**`.
 */
const neverWins = '/v1/{name=projects/*/databases/*/documents/*/**}';

let set: Buffer;
let schema: Schema;
let registry: FileRegistry;

beforeAll(async () => {
  set = await googleapisDescriptorSet();
}, 180_000);

test('DS5 the corpus loads within 3 s of CPU time and 200 MB; every binding compiles or is a reported collision', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const heapBefore = process.memoryUsage().heapUsed;
  const before = process.cpuUsage();

  const loaded = loadSchema(set);
  if (loaded.schema === null) throw new Error(JSON.stringify(loaded.problems.slice(0, 3)));
  const { bindings, problems } = schemaBindings(loaded.schema, { services: [], habits: habitsOf('grpc-gateway') });

  const used = process.cpuUsage(before);
  const cpuSeconds = (used.user + used.system) / 1e6;
  collect();
  const megabytes = (process.memoryUsage().heapUsed - heapBefore) / 1e6;
  const annotated = bindings.filter(({ template, method }) => template.text !== method.path).length;
  console.log(
    `corpus: ${annotated} bindings, ${problems.length} collisions, ${cpuSeconds} s, ${megabytes.toFixed()} MB`,
  );
  expect(problems.filter(({ reason }) => !reason.includes('is taken by'))).toEqual([]);
  expect(problems.length).toBe(collisionCount);
  expect(annotated + problems.length).toBe(bindingCount);
  expect(cpuSeconds).toBeLessThan(3);
  expect(megabytes).toBeLessThan(200);
  schema = loaded.schema;
}, 180_000);

test('UN1 to UN3, RT1, RT3 random values go through template, URL and match into the message, for every binding', () => {
  registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
  const random = seededRandom(seed);
  const faults: string[] = [];
  let tried = 0;

  for (const { bindings, router } of layersOf(schema)) {
    for (const binding of bindings) {
      const fault = roundTrip(binding, router, registry, random);
      if (fault !== undefined && binding.template.text !== neverWins)
        faults.push(`${binding.method.path} ${binding.template.text}: ${fault}`);
      if (binding.template.text !== binding.method.path) tried++;
    }
  }

  expect(faults.slice(0, 20).join('\n'), `repeat with SLUICE_FUZZ_SEED=${seed}; ${faults.length} in all`).toBe('');
  expect(tried).toBe(bindingCount);
}, 180_000);

test('PJ1 to PJ20 the codecs agree with protobuf-es on random messages of every file', () => {
  const { summary, findings } = new Differential(schema, registry).run({
    cases: 20_000,
    seed,
    requirePeers: false,
    brief: false,
    log: console.log,
  });

  console.log(`codecs: ${summary}`);
  expect(findings.join('\n\n'), `repeat with SLUICE_FUZZ_SEED=${seed}`).toBe('');
}, 180_000);
