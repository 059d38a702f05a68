/**
 * JSON over HTTP to gRPC and back, by the google.api.http rules of uploaded descriptors. The control plane loads schemas and
 * compiles bindings to check them; a node routes requests to the bindings and carries each call out with prepareCall and
 * readReply. This room never touches a socket or a clock, and never trusts a descriptor, a request or a reply.
 */
export { loadSchema, type Schema, type SchemaProblem } from './schema/schema.js';
export type { Binding } from './binding/binding.js';
export { writtenRules } from './binding/rules.js';
export { bindingOptions, schemaBindings, type BindingOptions } from './binding/bindings.js';
export {
  awaitReply,
  prepareCall,
  type AwaitedReply,
  readReply,
  type CallReadiness,
  type Cancel,
  type Reply,
  type ReplyObserver,
} from './call/call.js';
export type { Answer, Clock, Codings, GrpcCall, Pulse, TranscodedRequest } from './call/request.js';
export { CallBlocks } from './call/call-blocks.js';
export { WebSocketCall } from './stream/web-socket-call.js';
export { isForm } from './binding/content.js';
export { habitsOf, type Habits } from './habits.js';
export { profileOf, type Profile } from './profile.js';
export {
  openApiDocument,
  type DocumentInfo,
  type JsonObject,
  type OpenApiVersion,
  type RoutedBinding,
} from './openapi/openapi.js';
