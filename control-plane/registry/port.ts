import type { Discovery } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Endpoint, SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/**
 * Where endpoints come from. Told which services are wanted, it reports the complete endpoint set of each: never deltas, and never
 * because of an error, so an error cannot look like an empty set. The adapter owns reconnect, backoff, rate limits and comparing.
 * Caller: sync, on every replica (followers keep warm watches so that a new leader has the picture at once).
 * This room never decides what to publish, and never removes a service: sync does when the config no longer names it.
 */
export interface Registry {
  /** Names who hears; called once, before the first `want`. */
  observe(observer: RegistryObserver): void;
  /**
   * The complete list of what is wanted from now on, whenever the config changes. A service whose discovery is unchanged keeps its
   * watch (an equal call does nothing); one with other discovery settings starts again and reports as if new; one that is gone is
   * no longer watched or reported. Cheap to call, never throws; answers come later through the observer.
   */
  want(services: readonly WantedService[]): void;
  status(): RegistryStatus;
  /** Ends every watch; the observer is not called any more once this has been called. */
  close(): Promise<void>;
}

export interface WantedService {
  /** The name in our config, not the one in the registry. */
  readonly service: string;
  readonly discovery: Discovery;
}

/** May be called synchronously from `want` (static endpoints). Implementations of it do not throw. */
export interface RegistryObserver {
  /**
   * The endpoints of a wanted service: once after the first good answer, even when it is the empty list, then whenever they differ.
   * All that the registry knows, those that take no requests included (EndpointState OUT), sorted by id, ids unique.
   */
  endpoints(service: string, endpoints: readonly Endpoint[]): void;
  /** `status()` has another `state`. */
  status(status: RegistryStatus): void;
}

export interface RegistryStatus {
  /** UP: answers are current (also when nothing is wanted). STALE: last answers are held. DOWN: there has been no answer at all. */
  readonly state: SourceState;
  /** How long the oldest held answer has gone unconfirmed; 0 while UP. */
  readonly staleMs: number;
}
