import { toBinary, type DescFile } from '@bufbuild/protobuf';
import {
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import { file_google_api_annotations } from '../../../proto/gen/google/api/annotations_pb.js';
import { file_google_api_http } from '../../../proto/gen/google/api/http_pb.js';
import { file_google_api_httpbody } from '../../../proto/gen/google/api/httpbody_pb.js';
import { file_google_rpc_code } from '../../../proto/gen/google/rpc/code_pb.js';
import { file_google_rpc_error_details } from '../../../proto/gen/google/rpc/error_details_pb.js';
import { file_google_rpc_status } from '../../../proto/gen/google/rpc/status_pb.js';
import { Cursor } from './cursor.js';
import { Pool } from './pool.js';

const builtinFiles: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_source_context,
  file_google_protobuf_type,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  file_google_api_http,
  file_google_api_annotations,
  file_google_api_httpbody,
  file_google_rpc_code,
  file_google_rpc_error_details,
  file_google_rpc_status,
];

/** The files every schema may use without carrying them: well-known types, google.rpc details and google.api.http. */
export function builtinPool(): Pool {
  const pool = new Pool(null);
  for (const file of builtinFiles) pool.add(new Cursor(toBinary(FileDescriptorProtoSchema, file.proto)));
  return pool;
}
