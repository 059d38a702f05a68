import { fromBinary } from '@bufbuild/protobuf';
import { SchemaSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { loadSchema, schemaBindings, type BindingOptions, type Schema } from '../transcoder/transcoder.js';

type Loaded = ReturnType<typeof loadSchema>;
type Bound = ReturnType<typeof schemaBindings>;

/** A schema whose descriptors the control plane has still to read from its service. */
const notYetRead: Loaded = { schema: null, problems: [] };

/**
 * Schemas and bindings as they were compiled for the config before: a schema is the largest thing in a config and changes least.
 * A resource that did not change keeps its bytes, so these tell it; what no config holds any more is collected with them.
 */
export class SchemaCache {
  readonly #loaded = new WeakMap<Uint8Array, Loaded>();
  readonly #bound = new WeakMap<Schema, Map<string, Bound>>();

  /** `body` is an encoded sluice.v1.Schema; throws when it is not. */
  load(body: Uint8Array): Loaded {
    const known = this.#loaded.get(body);
    if (known !== undefined) return known;
    const { descriptorSet, httpRules } = fromBinary(SchemaSchema, body);
    const loaded = descriptorSet.length === 0 ? notYetRead : loadSchema(descriptorSet, httpRules);
    this.#loaded.set(body, loaded);
    return loaded;
  }

  bindings(schema: Schema, options: BindingOptions): Bound {
    const bySelection = this.#bound.get(schema) ?? new Map<string, Bound>();
    this.#bound.set(schema, bySelection);
    const selection = JSON.stringify(options);
    const known = bySelection.get(selection);
    if (known !== undefined) return known;
    const bound = schemaBindings(schema, options);
    bySelection.set(selection, bound);
    return bound;
  }
}
