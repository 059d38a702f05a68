/** One way to match a path. Text is matched on the normalised path; `template` is the google.api.http grammar. */
export type PathRule =
  | { readonly kind: 'prefix'; readonly text: string }
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'segment_prefix'; readonly text: string }
  | { readonly kind: 'regex'; readonly pattern: string; readonly priority: number }
  /** `strip` also matches a path with slashes at its end, as Envoy's transcoder does. */
  | { readonly kind: 'template'; readonly text: string; readonly trailingSlash?: 'strict' | 'strip' };

export interface HeaderRule {
  readonly name: string;
  /** Any one of these, compared case-insensitively. */
  readonly values: readonly string[];
}

/** What a route matches, and what decides between two that match. An empty list is a criterion that is not set. */
export interface RouteCriteria {
  readonly name: string;
  /** What tells entries of one route apart in messages, such as the full name of a transcoded method. */
  readonly detail?: string;
  readonly priority: number;
  readonly hosts: readonly string[];
  readonly paths: readonly PathRule[];
  readonly methods: readonly string[];
  /**
   * An HTTP rule of a transcoded method. Its method comes with its path and is no kind of criterion, so that between it and any
   * other entry the path decides.
   */
  readonly rule?: boolean;
  readonly headers: readonly HeaderRule[];
  /** TLS server names. */
  readonly snis?: readonly string[];
  /** Plain requests then pass over `snis`, so that they are answered 426 and not 404. */
  readonly httpsOnly?: boolean;
  /** The revision that made the route: its age. */
  readonly createdRevision: bigint;
  /** Its place among routes made by the same revision. */
  readonly ordinal: number;
}

export interface RouteEntry<T> extends RouteCriteria {
  /** What the caller gets back for a match; the router never looks at it. */
  readonly target: T;
}

/** A fault in one entry. `field` is a path in proto names, as `paths[0].regex.pattern`; '' for the whole entry. */
export interface RouterProblem {
  readonly name: string;
  readonly detail?: string;
  readonly field: string;
  readonly reason: string;
}

export interface RouteRequest {
  readonly method: string;
  /** As the client sent it, without the query. */
  readonly path: string;
  /** Host or :authority as it came, port and all; '' when absent. */
  readonly host: string;
  /** Asked for only where a route looks at headers. */
  readonly headers: readonly string[];
  /** The name from the TLS handshake ('' when it carried none); null or left out on a plain connection. */
  readonly serverName?: string | null;
}

/** What a regex or template path took out of the path. An unset group is ''. */
export interface Captures {
  /** `[0]` is the matched text, then the groups of a regex or the variables of a template in order. */
  readonly numbered: readonly string[];
  readonly named: ReadonlyMap<string, string>;
}

export interface NoRoute {
  readonly kind: 'no_route';
}

export interface MethodNotAllowed {
  readonly kind: 'method_not_allowed';
  /** Sorted, each once. */
  readonly allow: readonly string[];
}

/** A `.` or `..` segment, raw or encoded, a malformed escape, or no path at all. */
export interface BadPath {
  readonly kind: 'bad_path';
}

/** The path is too long for a regex that had to be tried. */
export interface PathTooLong {
  readonly kind: 'path_too_long';
}

export type NoMatch = NoRoute | MethodNotAllowed | BadPath | PathTooLong;
