import { TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';

/** Whose habits the transcoding follows where the systems differ; docs/transcoding.md has the table. */
export type Profile = 'grpc-gateway' | 'envoy' | 'strict';

/** The profile that a route asks for; grpc-gateway when it asks for none. */
export function profileOf(profile: TranscodeProfile): Profile {
  switch (profile) {
    case TranscodeProfile.UNSPECIFIED:
    case TranscodeProfile.GRPC_GATEWAY:
      return 'grpc-gateway';
    case TranscodeProfile.ENVOY:
      return 'envoy';
    case TranscodeProfile.STRICT:
      return 'strict';
  }
}
