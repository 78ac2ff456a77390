import { total } from './figures.js';
import type { HelperStatus } from './helper-status.js';
import {
  type ByKind,
  counter,
  counterByKind,
  errorsAndBytes,
  type Families,
  gauge,
  latencies,
  logLinesLost,
  up,
} from './metric-families.js';

const byOperation: ByKind<HelperStatus> = { kind: 'operation', operations: ({ operations }) => operations };

/** Every metric of a helper by its name without the prefix. */
export const helperFamilies: Families<HelperStatus> = {
  up: {
    type: 'gauge',
    help: 'Whether the helper answered on its control socket.',
    samples: up,
  },
  uptime_seconds: {
    type: 'gauge',
    unit: 'seconds',
    help: 'Time since the helper was started.',
    samples: gauge(({ uptime }) => uptime),
  },
  client_connected: {
    type: 'gauge',
    help: 'Whether the client has connected.',
    samples: gauge(({ client, operations }) =>
      client === null && total(operations, 'requests') === 0 ? 0 : 1,
    ),
  },
  requests: {
    type: 'counter',
    help: 'Requests answered.',
    samples: counterByKind(byOperation, ({ requests }) => requests),
  },
  ...errorsAndBytes(byOperation, {
    errors: 'Requests answered with an error, which may be what the guest expects (ENOENT).',
    received: 'Size of the requests.',
    sent: 'Size of the replies.',
  }),
  descriptors_passed: {
    type: 'counter',
    help: 'Open files passed to the client.',
    samples: counter(({ descriptors }) => descriptors.passed),
  },
  descriptors_held: {
    type: 'gauge',
    help: 'Open files that the client has not taken yet.',
    samples: gauge(({ descriptors }) => descriptors.held),
  },
  log_lines_lost: logLinesLost,
  request_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the arrival of a request until its reply was sent.',
    samples: latencies(byOperation),
  },
};
