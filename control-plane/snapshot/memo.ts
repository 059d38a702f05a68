import { criteriaKey } from '../../data-plane/router/router.js';
import { bindingOptions } from '../../data-plane/transcoder/transcoder.js';
import { checkCertificateAlone } from './certificates.js';
import { entriesOf } from './matching.js';
import { decodeResource } from './resources.js';
import { chooseBindings, loadDescriptors } from './schemas.js';

import type { CertificateCheck } from '../../data-plane/certificates/certificates.js';
import type { Binding, Schema as Descriptors } from '../../data-plane/transcoder/transcoder.js';
import type { Certificate, Route, Schema, Transcode } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Entry } from './collisions.js';
import type { Fault } from './fault.js';
import type { Decoded } from './resources.js';
import type { BindingCheck, LoadedSchema } from './schemas.js';

/**
 * What was found out about resources, by their identity, so that checking a config again costs what has changed in it.
 * Whoever checks often makes one and passes it to each call; it holds nothing that its owner has let go of.
 */
export class CheckMemo {
  readonly #decoded = new WeakMap<Resource, { readonly decoded: Decoded | null }>();
  readonly #faults = new WeakMap<Decoded['message'], readonly Fault[]>();
  readonly #entries = new WeakMap<
    Route,
    { readonly bindings: readonly Binding[]; readonly entries: readonly Entry[] }
  >();
  readonly #certificates = new WeakMap<Certificate, CertificateCheck>();
  readonly #schemas = new WeakMap<Schema, LoadedSchema>();
  readonly #bindings = new WeakMap<Descriptors, Map<string, BindingCheck>>();

  decode(resource: Resource): Decoded | null {
    return remember(this.#decoded, resource, () => ({ decoded: decodeResource(resource) })).decoded;
  }

  /** Faults that depend on nothing but the message. */
  faults(message: Decoded['message'], find: () => readonly Fault[]): readonly Fault[] {
    return remember(this.#faults, message, find);
  }

  /** What the router compares of a route that takes these bindings. */
  entries(route: Route, bindings: readonly Binding[]): readonly Entry[] {
    const known = this.#entries.get(route);
    if (known?.bindings === bindings) return known.entries;
    const entries = entriesOf(route, bindings).map((criteria) => ({ ...criteria, key: criteriaKey(criteria) }));
    this.#entries.set(route, { bindings, entries });
    return entries;
  }

  certificate(certificate: Certificate): CertificateCheck {
    return remember(this.#certificates, certificate, () => checkCertificateAlone(certificate));
  }

  schema(schema: Schema): LoadedSchema {
    return remember(this.#schemas, schema, () => loadDescriptors(schema));
  }

  bindings(descriptors: Descriptors, transcode: Transcode): BindingCheck {
    const known = remember(this.#bindings, descriptors, () => new Map<string, BindingCheck>());
    const key = JSON.stringify(bindingOptions(transcode));
    const found = known.get(key) ?? chooseBindings(descriptors, transcode);
    known.set(key, found);
    return found;
  }
}

function remember<K extends object, V>(known: WeakMap<K, V>, key: K, find: () => V): V {
  const value = known.get(key);
  if (value !== undefined) return value;
  const found = find();
  known.set(key, found);
  return found;
}
