/**
 * Tells what a config does: what becomes of a request and why, and which API it offers. By the code that serves requests, with
 * transports that send nothing. The control plane reviews configs, candidates too, with it; a node describes what it runs.
 * This room opens no connection and changes nothing.
 */
export { Reviewer, type Review } from './review.js';
export { explainRequest, type Explained, type ExplainRequest } from './request.js';
export { openApiAt, openApiPage, type OpenApiAnswer, type OpenApiPage, type OpenApiRequest } from './openapi.js';
