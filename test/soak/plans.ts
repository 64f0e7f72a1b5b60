import fc from 'fast-check';

/** How a client asks for lip-syncs. A batch is of three. */
export type Entry = 'mutation' | 'batch' | 'agent';

/** How a client follows them. An agent waits with its tool. */
export type Transport = 'websocket' | 'event-stream' | 'multipart';

/** A file that a client sends, or a URL from which the server fetches one; `decoded` is no WAV and no MP3. */
export type Speech =
  | 'text'
  | 'upload'
  | 'decoded upload'
  | 'form'
  | 'import'
  | 'decoded import'
  | 'slow import'
  | 'cut import'
  | 'missing import'
  | 'unreadable import';

/** How the receiver of the webhooks behaves; all but `gone` take each of them in the end. */
export type Receiver = 'none' | 'sound' | 'slow' | 'failing' | 'cutting' | 'gone';

/** What a client asks for and how it behaves. */
export type Plan = {
  /** A phrase of the sandbox, without brackets; '' for none. */
  fault: string;
  speech: Speech;
  entry: Entry;
  transport: Transport;
  /** The stream is cut after this many events and resumed, again and again; 0 = never. */
  cutAfter: number;
  receiver: Receiver;
  isCancelled: boolean;
  /** The client deletes it after its end. */
  isDeleted: boolean;
};

const quickFaults = [
  ...['cut', 'hang', 'no-id', 'doubled', 'no-callback', 'early', 'forged', 'reordered'],
  ...[
    'failed',
    'moderated',
    '422',
    'cut-early',
    '503',
    'html',
    'empty',
    'running-200',
    'url-early',
  ],
];

/** Faults after which nothing is sent to the account for up to thirty seconds, or for a minute. */
const busyFaults = ['429', '429-all', '429-provider'];
const pausingFaults = ['596', '412', '402'];

/** What a client without a fault in its text sends. */
const files: Speech[] = [
  ...['upload', 'decoded upload', 'form', 'import', 'decoded import'],
  ...['slow import', 'cut import', 'missing import', 'unreadable import'],
] as Speech[];

/**
 * The same for the same seed.
 *
 * @param hasPauses whether some faults stop an account for longer than a minute
 */
export function makePlans(seed: number, count: number, hasPauses = false): Plan[] {
  const faults = fc.oneof(
    { weight: 120, arbitrary: fc.constantFrom(...quickFaults) },
    { weight: hasPauses ? 2 : 0, arbitrary: fc.constantFrom(...busyFaults) },
    { weight: hasPauses ? 1 : 0, arbitrary: fc.constantFrom(...pausingFaults) },
  );
  const spoken = faults.map((fault) => ({ fault, speech: 'text' as const }));
  const sent = fc.constantFrom('text' as const, ...files).map((speech) => ({ fault: '', speech }));
  const behaviour = fc.record({
    entry: fc.constantFrom<Entry>('mutation', 'mutation', 'mutation', 'batch', 'agent'),
    transport: fc.constantFrom<Transport>('websocket', 'event-stream', 'multipart'),
    cutAfter: fc.nat(2),
    receiver: fc.constantFrom<Receiver>(
      ...(['none', 'none', 'sound', 'sound', 'slow', 'failing', 'cutting', 'gone'] as const),
    ),
    isCancelled: fc.nat(7).map((drawn) => drawn === 0),
    isDeleted: fc.nat(7).map((drawn) => drawn === 0),
  });
  return fc.sample(
    fc
      .tuple(fc.oneof(spoken, sent), behaviour)
      .map(([request, rest]) => consistent({ ...request, ...rest })),
    { seed, numRuns: count },
  );
}

/** The tools of agents take no `callbackUrl`; with a lip-sync its webhooks are deleted. */
function consistent(plan: Plan): Plan {
  const receiver = plan.entry === 'agent' || plan.isDeleted ? 'none' : plan.receiver;
  return { ...plan, receiver };
}
