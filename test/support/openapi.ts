import { validate } from '@readme/openapi-parser';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { JsonObject } from '../../data-plane/transcoder/transcoder.js';

const validator = new Validator();

/** What two public validators find wrong with a document: the official JSON schema, and the rules that no schema can say. */
export async function openApiFaults(document: JsonObject): Promise<string[]> {
  const plain = () => JSON.parse(JSON.stringify(document)) as Record<string, unknown>;
  const { errors = [] } = await validator.validate(plain());
  const bySchema = Array.isArray(errors) ? errors.map((error) => JSON.stringify(error)) : [errors];
  const checked = await validate(plain() as unknown as Parameters<typeof validate>[0]);
  return [...bySchema, ...(checked.valid ? [] : checked.errors.map(({ message }) => message))];
}
