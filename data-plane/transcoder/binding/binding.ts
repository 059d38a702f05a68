import type { Template } from '../../router/router.js';
import type { Profile } from '../profile.js';
import type { Method } from '../schema/types.js';
import type { RequestPlan } from './request.js';
import type { ResponsePlan } from './response.js';

/** One way to call one method over HTTP, compiled. */
export interface Binding {
  /** `*` takes any method. */
  readonly httpMethod: string;
  readonly template: Template;
  readonly method: Method;
  readonly profile: Profile;
  readonly request: RequestPlan;
  readonly response: ResponsePlan;
}
