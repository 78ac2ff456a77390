/** Metrics, read as Prometheus reads them: by its own parsers for Python. */
import { spawnSync } from 'node:child_process';

function python(program: string, input: string): { status: number | null; stdout: string; stderr: string } {
  // the one for which Debian installs packages
  return spawnSync('/usr/bin/python3', ['-c', program], { input, encoding: 'utf8' });
}

export function whyNoParser(): string | undefined {
  return python('import prometheus_client', '').status === 0
    ? undefined
    : 'python3-prometheus-client is not installed (scripts/install-test-requirements)';
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly documentation: string;
  readonly samples: readonly Sample[];
}

/** What a parser makes of a text. Throws with its complaint when it is not well formed. */
export function parse(text: string, parser: 'openmetrics.parser' | 'parser'): Family[] {
  const {
    status: exit,
    stdout,
    stderr,
  } = python(
    `import json, sys
from prometheus_client.${parser} import text_string_to_metric_families as parse
print(json.dumps([dict(name=f.name, type=f.type, unit=f.unit, documentation=f.documentation,
  samples=[dict(name=s.name, labels=s.labels, value=s.value) for s in f.samples])
  for f in parse(sys.stdin.read())]))`,
    text,
  );
  if (exit !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Family[];
}

export function value(
  families: readonly Family[],
  name: string,
  labels: Sample['labels'],
): number | undefined {
  return families
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, expected]) => sample.labels[label] === expected),
    )?.value;
}
