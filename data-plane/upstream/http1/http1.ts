/** HTTP/1.1 to one endpoint. This room never picks an endpoint, never tries twice and never looks at a route. */
export { defaultTransportLimits, type Http1TransportLimits } from './limits.js';
export { createHttp1Transport, type Http1TransportOptions } from './pool.js';
