/**
 * What gRPC says over HTTP/2, beside its messages: timeouts, statuses, and replies that end with one. For calls that go through
 * as they are and for those that the transcoder makes. Messages are never looked at here, and no socket or clock is touched.
 */
export { CallReply, type ReplyObserver } from './reply.js';
export {
  grpcCode,
  grpcCodeNames,
  grpcCodeOfHttp,
  isGrpcType,
  isServiceFault,
  statusCodeIn,
  statusFields,
} from './status.js';
export { grpcTimeout, parseTimeout, withTimeout } from './timeout.js';
export { isWebType, webCall, type WebCall } from './web.js';
