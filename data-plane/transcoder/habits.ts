import {
  ErrorFormat,
  StreamFormat,
  UnsetFields,
  type Transcode,
  type TranscodeOptions,
} from '../../proto/gen/sluice/v1/config_pb.js';
import type { Emission } from './codec/wire-to-json.js';
import { profileOf, type Profile } from './profile.js';

/**
 * How requests and answers of a transcoded route are made where systems differ: a profile has all of it, and a route may depart
 * from single habits of its own. docs/transcoding.md has the table.
 */
export interface Habits {
  readonly profile: Profile;
  /** PJ2, QP13, BD9. */
  readonly rejectUnknownFields: boolean;
  readonly rejectUnknownParameters: boolean;
  readonly rejectCollisions: boolean;
  /** PJ3. */
  readonly unsetFields: Emission;
  /** ST1, where Accept does not say. */
  readonly streamFormat: 'wrapped' | 'array' | 'lines' | 'events';
  /** ER2. */
  readonly errorFormat: 'status' | 'aip-193' | 'problem';
  /** ST14; 0 for none. */
  readonly heartbeatMs: number;
  /** Answers are compressed for clients that take it (CP2). */
  readonly compression: boolean;
  /** `POST /package.Service/Method` for every method (PT16). */
  readonly implicitBindings: boolean;
  /** HEAD is answered as GET, without the body (RT10). */
  readonly headAsGet: boolean;
  /** A POST of a form is a GET where only that has a rule (BD14). */
  readonly formAsGet: boolean;
  /** `X-HTTP-Method-Override` on a POST of a form takes the place of the method (HD11). */
  readonly methodOverride: boolean;
  /** Streaming methods are there as WebSockets too (ST12). */
  readonly webSocket: boolean;
  /** A PATCH without a mask gets one of its body. */
  readonly fillUpdateMask: boolean;
  /** RT4. */
  readonly stripTrailingSlashes: boolean;
  /** An answer of google.protobuf.Empty is 204 (RS2). */
  readonly emptyAsNoContent: boolean;
  /** Metadata `x-http-code` sets the status (RS3). */
  readonly statusFromMetadata: boolean;
  /** Header fields and metadata have the same names, without grpc-gateway's prefixes (HD1, HD6). */
  readonly plainMetadataNames: boolean;
  /** Metadata says the method and the path that the client asked for (HD12). */
  readonly sendOriginal: boolean;
  /** A query may ask for indented JSON (PJ17). */
  readonly prettyPrint: boolean;
  /** Of one message, either way (SZ1, SZ2). */
  readonly maxMessageBytes: number;
}

/** The habits of a profile. */
export function habitsOf(profile: Profile): Habits {
  const isGrpcGateway = profile === 'grpc-gateway';
  const isEnvoy = profile === 'envoy';
  const isStrict = profile === 'strict';
  return {
    profile,
    rejectUnknownFields: isStrict,
    rejectUnknownParameters: !isGrpcGateway,
    rejectCollisions: isStrict,
    unsetFields: isEnvoy ? 'set' : 'all',
    streamFormat: isEnvoy ? 'array' : 'wrapped',
    errorFormat: 'status',
    heartbeatMs: 0,
    compression: true,
    implicitBindings: true,
    headAsGet: true,
    formAsGet: isGrpcGateway,
    methodOverride: isGrpcGateway,
    webSocket: true,
    fillUpdateMask: isGrpcGateway,
    stripTrailingSlashes: isEnvoy,
    emptyAsNoContent: false,
    statusFromMetadata: true,
    plainMetadataNames: !isGrpcGateway,
    sendOriginal: false,
    prettyPrint: false,
    maxMessageBytes: 4 * 1024 * 1024,
  };
}

/** The habits of a route: its profile's, save what its options say. */
export function routeHabits({ profile, options }: Pick<Transcode, 'profile' | 'options'>): Habits {
  const habits = habitsOf(profileOf(profile));
  return options === undefined ? habits : { ...habits, ...given(options) };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function given(options: TranscodeOptions): Partial<Habits> {
  const habits: Mutable<Partial<Habits>> = {};
  for (const flag of flags) {
    const value = options[flag];
    if (value !== undefined) habits[flag] = value;
  }
  if (options.unsetFields !== UnsetFields.UNSPECIFIED) habits.unsetFields = emissions[options.unsetFields];
  if (options.streamFormat !== StreamFormat.UNSPECIFIED) habits.streamFormat = streamFormats[options.streamFormat];
  if (options.errorFormat !== ErrorFormat.UNSPECIFIED) habits.errorFormat = errorFormats[options.errorFormat];
  if (options.heartbeat !== undefined) {
    habits.heartbeatMs = Number(options.heartbeat.seconds) * 1_000 + Math.round(options.heartbeat.nanos / 1e6);
  }
  if (options.maxMessageBytes > 0) habits.maxMessageBytes = options.maxMessageBytes;
  return habits;
}

const flags = [
  'rejectUnknownFields',
  'rejectUnknownParameters',
  'rejectCollisions',
  'compression',
  'implicitBindings',
  'headAsGet',
  'formAsGet',
  'methodOverride',
  'webSocket',
  'fillUpdateMask',
  'stripTrailingSlashes',
  'emptyAsNoContent',
  'statusFromMetadata',
  'plainMetadataNames',
  'sendOriginal',
  'prettyPrint',
] as const satisfies readonly (keyof TranscodeOptions & keyof Habits)[];

const emissions = {
  [UnsetFields.OMIT]: 'set',
  [UnsetFields.ZEROS]: 'implicit',
  [UnsetFields.ALL]: 'all',
} as const;

const streamFormats = {
  [StreamFormat.WRAPPED_LINES]: 'wrapped',
  [StreamFormat.ARRAY]: 'array',
  [StreamFormat.LINES]: 'lines',
  [StreamFormat.EVENTS]: 'events',
} as const;

const errorFormats = {
  [ErrorFormat.STATUS]: 'status',
  [ErrorFormat.AIP_193]: 'aip-193',
  [ErrorFormat.PROBLEM_JSON]: 'problem',
} as const;
