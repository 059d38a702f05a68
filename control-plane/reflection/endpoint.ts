import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';

import { Client, connectivityState, credentials } from '@grpc/grpc-js';

import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { collectDescriptors, ReflectionError } from './collect.js';
import { converse } from './conversation.js';

import type { ChannelCredentials, ServiceError } from '@grpc/grpc-js';
import type { Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Endpoint } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { CollectLimits } from './collect.js';

export interface ReadLimits extends CollectLimits {
  readonly timeoutMs: number;
}

/** One endpoint's descriptors, or why there are none. */
export type Reading =
  { readonly descriptorSet: Uint8Array; readonly error: '' } | { readonly descriptorSet: null; readonly error: string };

/** A connection to one endpoint, to read its descriptors and to notice when it goes away. */
export class EndpointReader {
  readonly #client: Client | null;
  readonly #fault: string = '';
  readonly #closing = new AbortController();

  constructor(service: Service, { address, port }: Endpoint) {
    try {
      this.#client = new Client(targetOf(address, port), credentialsFor(service, address), {
        ...names(service, address),
        'grpc.max_receive_message_length': maxMessageBytes,
        'grpc.enable_http_proxy': 0,
        'grpc.enable_retries': 0,
        'grpc.enable_channelz': 0,
        'grpc.service_config_disable_resolution': 1,
        // An endpoint that was away a moment ago is tried at once, whatever others found.
        'grpc.use_local_subchannel_pool': 1,
      });
    } catch (error) {
      // As with PEM that is none.
      this.#client = null;
      this.#fault = words(error);
    }
  }

  async read({ timeoutMs, ...limits }: ReadLimits): Promise<Reading> {
    if (this.#client === null) return { descriptorSet: null, error: this.#fault };
    try {
      const descriptorSet = await converse(this.#client, Date.now() + timeoutMs, this.#closing.signal, (conversation) =>
        collectDescriptors(conversation, limits),
      );
      return { descriptorSet, error: '' };
    } catch (error) {
      return { descriptorSet: null, error: words(error) };
    }
  }

  /** Calls `gone` once when the connection, which stands now, is lost; not after `close`. */
  watch(gone: () => void): void {
    const channel = this.#client?.getChannel();
    if (channel?.getConnectivityState(false) !== connectivityState.READY) return;
    channel.watchConnectivityState(connectivityState.READY, Infinity, (error) => {
      if (error === undefined && channel.getConnectivityState(false) !== connectivityState.SHUTDOWN) gone();
    });
  }

  /** What is being read comes to nothing. */
  close(): void {
    this.#closing.abort();
    this.#client?.close();
  }
}

const maxMessageBytes = 40 * 1024 * 1024;
const unimplemented = 12;

function targetOf(address: string, port: number): string {
  const kind = isIP(address);
  if (kind === 0) return `dns:${address}:${port}`;
  return kind === 4 ? `ipv4:${address}:${port}` : `ipv6:[${address}]:${port}`;
}

function credentialsFor({ protocol, host, tls }: Service, address: string): ChannelCredentials {
  if (protocol !== Protocol.GRPCS) return credentials.createInsecure();
  const ca = tls === undefined || tls.caPem === '' ? null : Buffer.from(tls.caPem);
  const name = tls?.serverName || hostName(host) || address;
  const own = tls === undefined || tls.certPem === '' ? null : tls;
  return credentials.createSsl(ca, own && Buffer.from(own.keyPem), own && Buffer.from(own.certPem), {
    rejectUnauthorized: tls?.skipVerify !== true,
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
  });
}

/** The names that nodes send: an address is none that TLS may carry. */
function names({ protocol, host, tls }: Service, address: string): Record<string, string> {
  const serverName = tls?.serverName || hostName(host) || address;
  return {
    ...(host === '' ? {} : { 'grpc.default_authority': host }),
    ...(protocol === Protocol.GRPCS && isIP(serverName) === 0 ? { 'grpc.ssl_target_name_override': serverName } : {}),
  };
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

function words(error: unknown): string {
  if (error instanceof ReflectionError) return error.message;
  const { code, details, message } = error as Partial<ServiceError>;
  if (code === unimplemented) return 'the server has no reflection, neither grpc.reflection.v1 nor v1alpha';
  const text = details ?? message ?? String(error);
  // What grpc-js puts around the reason of a connection that it does not get.
  return text
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\.? Resolution note: .*$/s, '')
    .slice(0, 300);
}
