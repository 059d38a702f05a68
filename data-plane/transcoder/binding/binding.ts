import type { Template } from '../../router/router.js';
import type { Habits } from '../habits.js';
import type { Schema } from '../schema/schema.js';
import type { Method } from '../schema/types.js';
import type { RequestPlan } from './request.js';
import type { ResponsePlan } from './response.js';
import type { Rule } from './rules.js';

/** One way to call one method over HTTP, compiled. */
export interface Binding {
  /** `*` takes any method. */
  readonly httpMethod: string;
  readonly template: Template;
  /** What it was compiled from, and what of; for those who describe it. */
  readonly rule: Rule;
  readonly schema: Schema;
  readonly method: Method;
  readonly habits: Habits;
  readonly request: RequestPlan;
  readonly response: ResponsePlan;
}
