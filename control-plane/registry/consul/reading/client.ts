import { X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';

import Consul from 'consul';

import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';

export interface ClientOptions {
  /** `http://host:port` or `https://host:port`, with a path when a proxy serves Consul under one. */
  readonly address: string;
  readonly token: string;
  /** PEM certificates to trust instead of the system's; none when empty. */
  readonly caPem: string;
  /** For what names no datacenter itself; the agent's own when empty. */
  readonly datacenter: string;
}

export interface Read {
  /** 0 asks for what is there now; else Consul answers when its index has passed this one, or after `waitMs`. */
  readonly index: number;
  readonly waitMs: number;
  /** `stale` lets any server answer, `default` only one that knows itself the leader. */
  readonly consistency: 'stale' | 'default';
  /** Until the whole answer has arrived. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Reply {
  /** What the JSON said: anything. */
  readonly body: unknown;
  readonly index: number;
  /** How old a stale answer may be. */
  readonly lastContactMs: number;
  readonly knownLeader: boolean;
  /** The token may not see all of it (newer servers say so). */
  readonly filteredByAcls: boolean;
}

/** Why there is no answer, in words for people. Nothing else is thrown by reads, other than by an aborted one. */
export class ConsulError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ConsulError';
  }
}

/** An answer longer than this is refused rather than held in memory. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Typed reads over npm `consul`: one HTTP request each, no retry, no state beyond kept connections. */
export class ConsulClient {
  readonly #consul: Consul;
  readonly #options: ClientOptions;

  /** Throws an Error that names a bad option. */
  constructor(options: ClientOptions) {
    this.#options = options;
    const url = parseAddress(options.address);
    checkToken(options.token);
    checkCa(options.caPem);
    this.#consul = makeConsul(url, options);
  }

  /** `/v1/health/service/<service>` with every instance: of those that pass only, none would look the same as no service. */
  async service(service: string, datacenter: string, read: Read): Promise<Reply> {
    return this.#read(datacenter, read, (common) => this.#consul.health.service({ service, ...common }));
  }

  /** `/v1/health/state/any`: the checks of all services. */
  async checks(datacenter: string, read: Read): Promise<Reply> {
    return this.#read(datacenter, read, (common) => this.#consul.health.state({ state: 'any', ...common }));
  }

  /** `/v1/catalog/services`: the names and tags of all services. */
  async services(datacenter: string, read: Read): Promise<Reply> {
    return this.#read(datacenter, read, (common) => this.#consul.catalog.service.list(common));
  }

  close(): void {
    this.#consul.destroy();
  }

  async #read(datacenter: string, read: Read, send: (common: object) => Promise<unknown>): Promise<Reply> {
    const context = new EventEmitter();
    const cancel = (): void => {
      context.emit('cancel');
    };
    read.signal.throwIfAborted();
    read.signal.addEventListener('abort', cancel);
    try {
      // With `includeResponse` in the context the client gives the response along with the body.
      const result = await send(this.#common(datacenter, read, Object.assign(context, { includeResponse: true })));
      const [response, body] = result as readonly [IncomingMessage, unknown];
      return { body, ...parseHeaders(response) };
    } catch (error) {
      read.signal.throwIfAborted();
      throw explain(error, read.timeoutMs);
    } finally {
      read.signal.removeEventListener('abort', cancel);
    }
  }

  #common(datacenter: string, read: Read, ctx: EventEmitter): object {
    const dc = datacenter === '' ? this.#options.datacenter : datacenter;
    return {
      ctx,
      timeout: read.timeoutMs,
      ...(dc === '' ? {} : { dc }),
      ...(this.#options.token === '' ? {} : { token: this.#options.token }),
      ...(read.consistency === 'stale' ? { stale: true } : {}),
      ...(read.index === 0 ? {} : { index: String(read.index), wait: `${read.waitMs}ms` }),
    };
  }
}

function parseAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new Error(
      `Consul address ${JSON.stringify(address)} is not of the form http://host:port or https://host:port`,
    );
  }
  return url;
}

function checkToken(token: string): void {
  if (!/^[\x21-\x7e]*$/.test(token)) throw new Error('Consul token has a character that cannot be in an HTTP header');
}

/** TLS itself takes anything for an authority, and then trusts nobody. */
function checkCa(caPem: string): void {
  if (caPem !== '' && !isCertificate(caPem)) throw new Error('Consul CA is not a PEM certificate');
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== '';
  } catch {
    return false;
  }
}

type Transport = { request(options: RequestOptions): ClientRequest };

/** What npm consul has and does not declare: it is made with papi, whose extensions see each request before it is sent. */
interface Extensible {
  _ext(event: 'onRequest', extension: (request: { transport: Transport }, next: () => void) => void): void;
}

function makeConsul(url: URL, { caPem }: ClientOptions): Consul {
  const agent =
    url.protocol === 'https:'
      ? new https.Agent({ keepAlive: true, ...(caPem === '' ? {} : { ca: caPem }) })
      : new http.Agent({ keepAlive: true });
  const baseUrl = `${url.origin}${url.pathname.replace(/\/+$/, '')}/v1`;
  const options = { baseUrl, agent };
  const consul = new Consul(options);
  // oxlint-disable-next-line no-underscore-dangle -- the client's own name
  (consul as unknown as Extensible)._ext('onRequest', (request, next) => {
    const { transport } = request;
    request.transport = { request: (requestOptions) => guard(transport.request(requestOptions)) };
    next();
  });
  return consul;
}

/** The client itself waits for `end`, which never comes when the connection breaks within the answer, and gathers without a limit. */
function guard(request: ClientRequest): ClientRequest {
  request.once('response', (response) => {
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) request.destroy(new Error(`its answer is longer than ${MAX_ANSWER_BYTES} bytes`));
    });
    response.once('close', () => {
      if (!response.complete) request.emit('error', new Error('the connection broke within the answer'));
    });
  });
  return request;
}

/** Without an index it was not Consul that answered, whatever the status says. */
function parseHeaders({ headers }: IncomingMessage): Omit<Reply, 'body'> {
  const text = headers['x-consul-index'];
  const index = typeof text === 'string' && /^\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(index)) throw new ConsulError('Consul answered without a valid X-Consul-Index');
  const lastContact = Number(headers['x-consul-lastcontact'] ?? 0);
  return {
    index,
    lastContactMs: Number.isFinite(lastContact) ? lastContact : 0,
    knownLeader: headers['x-consul-knownleader'] !== 'false',
    filteredByAcls: headers['x-consul-results-filtered-by-acls'] === 'true',
  };
}

interface PapiError {
  readonly message: string;
  readonly isResponse?: boolean;
  readonly isTimeout?: boolean;
  readonly isCodec?: boolean;
  readonly response?: { readonly statusCode?: number; readonly body?: unknown };
}

function explain(error: unknown, timeoutMs: number): ConsulError {
  if (error instanceof ConsulError) return error;
  const { message, isResponse, isTimeout, isCodec, response } = error as PapiError;
  if (isTimeout === true) return new ConsulError(`Consul did not answer within ${timeoutMs} ms`, error);
  if (isCodec === true) return new ConsulError('Consul answered with something that is no JSON', error);
  if (isResponse !== true) return new ConsulError(`Consul cannot be read: ${message}`, error);
  const text = typeof response?.body === 'string' ? response.body.trim().slice(0, 200) : '';
  return new ConsulError(
    `Consul answered ${response?.statusCode ?? 'an error'}${text === '' ? '' : `: ${text}`}`,
    error,
  );
}
