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
import type { ServerStatus } from './server-status.js';

const byMessage: ByKind<ServerStatus> = { kind: 'message', operations: ({ messages }) => messages };

/** Every metric of a 9P server by its name without the prefix. */
export const serverFamilies: Families<ServerStatus> = {
  up: {
    type: 'gauge',
    help: 'Whether the 9P server answered on its control socket.',
    samples: up,
  },
  uptime_seconds: {
    type: 'gauge',
    unit: 'seconds',
    help: 'Time since the 9P server was started.',
    samples: gauge(({ uptime }) => uptime),
  },
  client_connected: {
    type: 'gauge',
    help: 'Whether the guest has connected.',
    samples: gauge(({ connected }) => Number(connected)),
  },
  messages: {
    type: 'counter',
    help: 'Messages of the guest that were answered.',
    samples: counterByKind(byMessage, ({ requests }) => requests),
  },
  ...errorsAndBytes(byMessage, {
    errors: 'Messages answered with an error, which may be what the guest expects (ENOENT).',
    received: 'Size of the messages of the guest.',
    sent: 'Size of the replies to the guest.',
  }),
  message_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the arrival of a message until its reply was sent.',
    samples: latencies(byMessage),
  },
  msize_bytes: {
    type: 'gauge',
    unit: 'bytes',
    help: 'The longest message that the guest has agreed to, 0 before it did.',
    samples: gauge(({ msize }) => msize ?? 0),
  },
  fids: {
    type: 'gauge',
    help: 'Files that the guest has in use.',
    samples: gauge(({ fids }) => fids),
  },
  open_files: {
    type: 'gauge',
    help: 'Files that the guest has open.',
    samples: gauge(({ openFiles }) => openFiles),
  },
  descriptors: {
    type: 'gauge',
    help: 'Descriptors that are open for files and locks of the guest.',
    samples: gauge(({ descriptors }) => descriptors),
  },
  locks: {
    type: 'gauge',
    help: 'Processes of the guest that have locks, counted for each file.',
    samples: gauge(({ locks }) => locks),
  },
  file_read_bytes: {
    type: 'counter',
    unit: 'bytes',
    help: 'Data of files that the guest has read.',
    samples: counter(({ fileBytes }) => fileBytes.read),
  },
  file_written_bytes: {
    type: 'counter',
    unit: 'bytes',
    help: 'Data of files that the guest has written.',
    samples: counter(({ fileBytes }) => fileBytes.written),
  },
  helper_requests: {
    type: 'counter',
    help: 'Requests to the helper.',
    samples: counter(({ helper }) => helper.requests),
  },
  helper_trips: {
    type: 'counter',
    help: 'Trips to the helper, each with all requests that go together.',
    samples: counter(({ helper }) => helper.trips),
  },
  helper_replacements: {
    type: 'counter',
    help: 'Helpers that took the place of one that had ended.',
    samples: counter(({ helper }) => helper.replacements),
  },
  log_lines_lost: logLinesLost,
};
