import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { loadSchema } from '../../../data-plane/transcoder/transcoder.js';
import { googleapisDescriptorSet } from '../../corpus/googleapis.js';
import type { Fuzzer } from '../fuzzer.js';
import { Differential } from './differential.js';

/** The transcoder's codecs against protobuf-es, over all message types of the public Google APIs. */
export const fuzzCodec: Fuzzer = async (options) => {
  const set = await googleapisDescriptorSet();
  const { schema, problems } = loadSchema(set);
  if (schema === null) throw new Error(`the corpus does not load: ${JSON.stringify(problems.slice(0, 3))}`);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
  return new Differential(schema, registry).run(options);
};
