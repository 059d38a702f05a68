/**
 * Certificates for TLS with clients: whether one can be used, and which one a client gets. Pure: both planes judge with it, and
 * it never holds a socket, a clock or a TLS context.
 */
export { checkCertificate, expiryMs, keyFingerprint } from './check.js';
export type { CertificateCheck, CertificateFacts, CertificateFault, CertificateText } from './check.js';
export { serverName, ServerNames } from './sni.js';
