import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import {
  checkCertificate,
  ServerNames,
  type CertificateFacts,
  type CertificateFault,
} from '../certificates/certificates.js';
import type { ListenerTls } from './accept.js';

export interface ServedCertificate {
  readonly name: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly snis: readonly string[];
  readonly isDefault: boolean;
}

export interface SecureContextsOptions {
  /** 48 random bytes; who has the same ones continues the other's sessions. */
  readonly ticketKeys: Buffer;
  /** Served for its names where no other certificate has them, and to clients that ask for none of the names there are. */
  readonly fallback: ServedCertificate | null;
}

/** Thrown by `prepare`; what is served stays as it is. */
export class CertificateRefusedError extends Error {
  readonly certificate: string;
  readonly fault: CertificateFault;

  constructor(certificate: string, fault: CertificateFault) {
    super(`certificate ${certificate} ${fault.field}: ${fault.reason}`);
    this.certificate = certificate;
    this.fault = fault;
  }
}

interface Loaded {
  readonly facts: CertificateFacts;
  readonly context: SecureContext;
}

/**
 * The certificates that a node serves, ready for handshakes. A change concerns handshakes from then on: connections that are there
 * go on, and a certificate that did not change is not read again.
 */
export class SecureContexts implements ListenerTls {
  readonly #ticketKeys: Buffer;
  readonly #fallback: ServedCertificate | null;
  #loaded: ReadonlyMap<string, Loaded> = new Map();
  #names: ServerNames<SecureContext> = new ServerNames<SecureContext>(null);
  #expiries: readonly CertificateExpiry[] = [];

  /** Throws CertificateRefusedError for a fallback that cannot be served. */
  constructor({ ticketKeys, fallback }: SecureContextsOptions) {
    this.#ticketKeys = ticketKeys;
    this.#fallback = fallback;
    this.prepare([]).commit();
  }

  secureContext(serverName: string): SecureContext | null {
    return this.#names.choose(serverName);
  }

  /** Of the certificates in force. */
  get expiries(): readonly CertificateExpiry[] {
    return this.#expiries;
  }

  /** Throws CertificateRefusedError. Changes nothing before the commit. */
  prepare(certificates: readonly ServedCertificate[]): { commit(): void } {
    const sorted = certificates.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const all = this.#fallback === null ? sorted : [...sorted, this.#fallback];
    const loaded = new Map<string, Loaded>();
    const served = all.map((certificate) => ({ certificate, ...this.#load(certificate, loaded) }));
    const fallback = served.find(({ certificate }) => certificate.isDefault) ?? served[0] ?? null;
    const names = new ServerNames<SecureContext>(fallback?.context ?? null);
    for (const { facts, context } of served) names.claim(facts.names, context);
    const expiries = served.map(({ certificate: { name }, facts }) => ({ name, notAfterMs: facts.notAfterMs }));
    return {
      commit: () => {
        this.#loaded = loaded;
        this.#names = names;
        this.#expiries = expiries;
      },
    };
  }

  #load(certificate: ServedCertificate, loaded: Map<string, Loaded>): Loaded {
    const { certPem, keyPem, snis, isDefault } = certificate;
    const key = createHash('sha256')
      .update(JSON.stringify([certPem, keyPem, snis, isDefault]))
      .digest('base64');
    const known = loaded.get(key) ?? this.#loaded.get(key) ?? this.#read(certificate);
    loaded.set(key, known);
    return known;
  }

  #read(certificate: ServedCertificate): Loaded {
    const { name, certPem: cert, keyPem: key } = certificate;
    const { facts, faults } = checkCertificate(certificate);
    if (facts === null) throw new CertificateRefusedError(name, faults[0] as CertificateFault);
    try {
      const context = createSecureContext({ cert, key, minVersion: 'TLSv1.2', ticketKeys: this.#ticketKeys });
      return { facts, context };
    } catch (error) {
      // OpenSSL names what it does not like, never the key.
      const reason = error instanceof Error ? error.message : String(error);
      throw new CertificateRefusedError(name, { field: 'cert_pem', reason });
    }
  }
}

export interface CertificateExpiry {
  readonly name: string;
  readonly notAfterMs: number;
}
