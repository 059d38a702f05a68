import { InvalidArgumentError, Option, type Command } from 'commander';
import { applyFiles, printApplied, RefusedFiles, waitForNodes } from './apply.js';
import { AdminClient, RefusedError, UnreachableError } from './client.js';
import type { Output, OutputFormat } from './print.js';
import { deleteResource, dump, kindOf, kindWords, printResources, type KindWord } from './resources.js';
import { printEndpoints, printHistory, printNodes } from './status.js';

export { applyFiles, waitForNodes } from './apply.js';
export { AdminClient } from './client.js';
export { newestRevision } from './status.js';

/** What a command ends with: 0 done, 1 refused by the gateway, 2 wrong usage, 3 no control plane reached. */
export type ExitCode = 0 | 1 | 2 | 3;

export interface CliContext {
  readonly output: Output;
  /** The address of the admin API when no flag names one. */
  readonly defaultAddress: string;
  exit(code: ExitCode): void;
}

/** Adds the commands that talk to the admin API. They print through `context.output` and never throw. */
export function addAdminCommands(program: Command, context: CliContext): void {
  const run = (work: (client: AdminClient) => Promise<boolean | void>) => runCommand(program, context, work);
  addFileCommands(program, context.output, run);
  addResourceCommands(program, context.output, run);
  program
    .command('nodes')
    .description('every node: phase, revision, lag, and why it refuses one')
    .action(() => run((client) => printNodes(client, context.output)));
  program
    .command('history')
    .description('revisions, newest first')
    .option('--limit <count>', 'how many', positive, 20)
    .action(({ limit }: { limit: number }) => run((client) => printHistory(client, context.output, limit)));
  program
    .command('endpoints')
    .argument('<service>')
    .description('the endpoints of a service, as the registry says')
    .action((service: string) => run((client) => printEndpoints(client, context.output, service)));
}

type Run = (work: (client: AdminClient) => Promise<boolean | void>) => Promise<void>;

interface FileOptions {
  readonly file: string[];
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
  readonly expectedRevision?: bigint;
}

function addFileCommands(program: Command, output: Output, run: Run): void {
  const apply = async (client: AdminClient, options: FileOptions, dryRun: boolean): Promise<boolean> => {
    const { file, prune = false, expectedRevision = null } = options;
    const response = await applyFiles(client, file, { dryRun, prune, expectedRevision });
    printApplied(output, response, dryRun);
    return options.wait === true && !dryRun ? waitForNodes(client, output, response.revision, options.timeout) : true;
  };
  withFile(program.command('apply').description('make the config as the files describe it'))
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--prune', 'delete what the files do not name')
    .option('--wait', 'return when every live node has applied it; say who and how fast')
    .option('--timeout <ms>', 'how long to wait', positive, 30_000)
    .option('--expected-revision <revision>', 'refuse unless the config is still at this revision', revisionNumber)
    .action((options: FileOptions) => run((client) => apply(client, options, options.dryRun === true)));
  withFile(program.command('diff').description('what apply would change'))
    .option('--prune', 'as if deleting what the files do not name')
    .action((options: FileOptions) => run((client) => apply(client, options, true)));
  withFile(program.command('validate').description('check files against the running config')).action((options: FileOptions) =>
    run(async (client) => {
      await applyFiles(client, options.file, { dryRun: true, prune: false, expectedRevision: null });
      output.line('valid');
    }),
  );
  program
    .command('dump')
    .description('the whole config as a file')
    .action(() => run(async (client) => output.line((await dump(client)).trimEnd())));
}

function withFile(command: Command): Command {
  return command.requiredOption('-f, --file <path...>', 'config files or folders');
}

function addResourceCommands(program: Command, output: Output, run: Run): void {
  const format = new Option('-o, --output <format>', 'how to print').choices(['table', 'yaml', 'json']).default('table');
  program
    .command('get')
    .argument('<kind>', kindWords.join(', '), parseKind)
    .argument('[name]')
    .addOption(format)
    .action((kind: KindWord, name: string | undefined, options: { output: OutputFormat }) =>
      run((client) => printResources(client, output, kind, name ?? null, options.output)),
    );
  program
    .command('delete')
    .argument('<kind>', kindWords.join(', '), parseKind)
    .argument('<name>')
    .option('--etag <etag>', 'refuse unless the resource still has it', '')
    .action((kind: KindWord, name: string, { etag }: { etag: string }) =>
      run(async (client) => {
        await deleteResource(client, kind, name, etag);
        output.line(`deleted ${kind} ${name}`);
      }),
    );
}

async function runCommand(program: Command, context: CliContext, work: (client: AdminClient) => Promise<boolean | void>): Promise<void> {
  const { address } = program.opts<{ address?: string }>();
  const client = new AdminClient(address ?? context.defaultAddress);
  try {
    context.exit((await work(client)) === false ? 1 : 0);
  } catch (error) {
    context.exit(explainFailure(context.output, error));
  } finally {
    client.close();
  }
}

function explainFailure(output: Output, error: unknown): ExitCode {
  if (error instanceof UnreachableError) {
    output.error(error.message);
    return 3;
  }
  if (error instanceof RefusedFiles) for (const line of error.lines) output.error(line);
  else if (error instanceof RefusedError) for (const line of refusalLines(error)) output.error(line);
  else throw error;
  return 1;
}

function refusalLines({ message, violations }: RefusedError): string[] {
  return [message, ...violations.map(({ field, description }) => `  ${field}: ${description}`)];
}

function parseKind(word: string): KindWord {
  const kind = kindOf(word);
  if (kind === null) throw new InvalidArgumentError(`Known kinds are ${kindWords.join(', ')}.`);
  return kind;
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number above 0.');
  return Number(text);
}

function revisionNumber(text: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw new InvalidArgumentError('It must be a revision number.');
  return BigInt(text);
}
