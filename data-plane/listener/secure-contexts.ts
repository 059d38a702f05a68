import { constants, createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { checkCertificate, ServerNames, type CertificateFacts } from '../certificates/certificates.js';

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

export interface CertificateExpiry {
  readonly name: string;
  readonly notAfterMs: number;
}

export interface PreparedContexts {
  readonly faults: readonly ContextFault[];
  /** Not to be called where there are faults. */
  commit(): void;
}

interface ContextFault {
  readonly certificate: string;
  readonly field: string;
  readonly reason: string;
}

interface Loaded {
  readonly facts: CertificateFacts;
  readonly context: SecureContext;
}

/**
 * What is spoken with every certificate. The suites of TLS 1.2 are those with forward secrecy and authenticated encryption: HTTP/2
 * forbids the others (RFC 9113 appendix A), and every client that speaks TLS 1.2 today has one of them. They are all good, so the
 * client's order counts. Renegotiation lets a client make us work, HTTP/2 forbids it, and nobody needs it without client
 * certificates.
 */
const protocolOptions = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/**
 * The certificates that a node serves, ready for handshakes. A change concerns handshakes from then on: connections that are there
 * go on, and a certificate that did not change is not read again.
 */
export class SecureContexts {
  readonly #ticketKeys: Buffer;
  readonly #fallback: ServedCertificate | null;
  #loaded: ReadonlyMap<string, Loaded> = new Map();
  #names: ServerNames<SecureContext> = new ServerNames<SecureContext>(null);
  #only: SecureContext | null = null;
  #expiries: readonly CertificateExpiry[] = [];

  /** Throws an Error for a fallback that cannot be served. */
  constructor({ ticketKeys, fallback }: SecureContextsOptions) {
    this.#ticketKeys = ticketKeys;
    this.#fallback = fallback;
    const { faults, commit } = this.prepare([]);
    for (const { certificate, reason } of faults) throw new Error(`${certificate} ${reason}`);
    commit();
  }

  /** As a listener asks for it, see ListenerTls. */
  secureContext(serverName: string): SecureContext | null {
    return this.#names.choose(serverName);
  }

  /** See ListenerTls. */
  onlyContext(): SecureContext | null {
    return this.#only;
  }

  /** Of the certificates in force. */
  get expiries(): readonly CertificateExpiry[] {
    return this.#expiries;
  }

  /** Serves these and the fallback from the commit on. The default is the one that says so, else the first by name. */
  prepare(certificates: readonly ServedCertificate[]): PreparedContexts {
    const sorted = certificates.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const loaded = new Map<string, Loaded>();
    const faults: ContextFault[] = [];
    const served: { readonly certificate: ServedCertificate; readonly loaded: Loaded }[] = [];
    for (const certificate of this.#fallback === null ? sorted : [...sorted, this.#fallback]) {
      const one = this.#load(certificate, loaded);
      if ('facts' in one) served.push({ certificate, loaded: one });
      else faults.push(one);
    }
    const standard = served.find(({ certificate }) => certificate.isDefault) ?? served[0];
    const names = new ServerNames<SecureContext>(standard?.loaded.context ?? null);
    for (const one of served) names.claim(one.loaded.facts.names, one.loaded.context);
    const commit = (): void => {
      this.#loaded = loaded;
      this.#names = names;
      this.#only = served.length === 1 ? (standard?.loaded.context ?? null) : null;
      this.#expiries = served.map((one) => ({ name: one.certificate.name, notAfterMs: one.loaded.facts.notAfterMs }));
    };
    return { faults, commit };
  }

  #load(certificate: ServedCertificate, loaded: Map<string, Loaded>): Loaded | ContextFault {
    const { certPem, keyPem, snis, isDefault } = certificate;
    const content = JSON.stringify([certPem, keyPem, snis, isDefault]);
    const key = createHash('sha256').update(content).digest('base64');
    const known = loaded.get(key) ?? this.#loaded.get(key) ?? this.#read(certificate);
    if ('facts' in known) loaded.set(key, known);
    return known;
  }

  #read(certificate: ServedCertificate): Loaded | ContextFault {
    const { name, certPem: cert, keyPem: key } = certificate;
    const { facts, faults } = checkCertificate(certificate);
    if (facts === null) return { certificate: name, field: 'cert_pem', reason: 'cannot be used', ...faults[0] };
    try {
      const context = createSecureContext({ ...protocolOptions, cert, key, ticketKeys: this.#ticketKeys });
      return { facts, context };
    } catch (error) {
      // OpenSSL names what it does not like, and never the key.
      return { certificate: name, field: 'cert_pem', reason: error instanceof Error ? error.message : String(error) };
    }
  }
}
