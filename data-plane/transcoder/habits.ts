import type { Profile } from './profile.js';

/** How requests and answers of a transcoded route are made where systems differ. A profile has all of them, and a route may have some of its own. */
export interface Habits {
  readonly profile: Profile;
  /** HEAD is answered as GET, without the body (RT10). */
  readonly headAsGet: boolean;
  /** A POST of a form is a GET where only that has a rule (BD14). */
  readonly formAsGet: boolean;
  /** `X-HTTP-Method-Override` on a POST of a form takes the place of the method (HD11). */
  readonly methodOverride: boolean;
  /** Streaming methods are there as WebSockets too (ST12). */
  readonly webSocket: boolean;
  /** Answers are compressed for clients that take it (CP2). */
  readonly compression: boolean;
}

export function habitsOf(profile: Profile): Habits {
  const isGrpcGateway = profile === 'grpc-gateway';
  return {
    profile,
    headAsGet: true,
    formAsGet: isGrpcGateway,
    methodOverride: isGrpcGateway,
    webSocket: true,
    compression: true,
  };
}
