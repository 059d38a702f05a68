/** What a node shows of itself: counters, and pages for people and probes. It never touches a request. */
export { Metrics, RouteMetrics } from './metrics.js';
export type { Counted, Value } from './metrics.js';
