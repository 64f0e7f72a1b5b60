import { type Finding, inOrder } from './finding.ts';
import { type Answer, type Answers, isObject, itemsOf } from './probe-reads.ts';
import { shapeOf } from './shapes.ts';

/** Questions that the upstream's documents leave open, answered from its responses. No e-mail address, id or URL is repeated. */
export function answerQuestions(answers: Answers): Finding[] {
  const answered = [
    ['The body of 404', describeError(answers['GET /videos/{id} of an unknown video'])],
    ['A percent-encoded id', describeError(answers['GET /videos/{id} percent-encoded'])],
    ['A missing email', describeError(answers['GET /features/ without email'])],
    ['Voices', describeVoices(answers['GET /videos/voices/'])],
    ['Statuses', describeStatuses(answers['GET /videos/'])],
    ['lip_sync', describeField(answers['GET /videos/'], 'lip_sync')],
    ['replyRef in the list', describeField(answers['GET /videos/'], 'replyRef')],
    ['The order of the list', describeOrder(answers['GET /videos/'])],
    ['596 outside of lip-syncs', describe596(answers)],
  ] as const;
  const findings = answered.map(([question, answer]) =>
    inOrder('probe', `${question}: ${answer}.`),
  );
  const open =
    'Reads do not show the statuses of DELETE, the body and the retries of callbacks, cost_credits in the answer of a lip-sync, and a lip-sync without text and sound.';
  return [...findings, inOrder('probe', open)];
}

const notSeen = 'not seen';

function describeError(answer: Answer | undefined): string {
  if (answer === undefined) return notSeen;
  const { status, body } = answer;
  if (!isObject(body)) return `HTTP ${status} without JSON`;
  const text = typeof body.error === 'string' ? `, “${redact(body.error)}”` : '';
  return `HTTP ${status} with ${Object.keys(body).map(redact).join(', ') || 'no field'}${text}`;
}

/** A pending account can answer any read with it. */
function describe596(answers: Answers): string {
  const found = Object.entries(answers).find(([, answer]) => answer?.status === 596);
  return found === undefined ? notSeen : `${found[0]}, ${describeError(found[1])}`;
}

function describeVoices(answer: Answer | undefined): string {
  const list = isObject(answer?.body) ? answer.body.tts_list : undefined;
  if (!Array.isArray(list)) return notSeen;
  const voices = list.filter(isObject);
  const names = voices.map((each) => `${each.speaker_id} ${each.display_name}`).map(redact);
  return `${voices.length}, ${names.join(', ')}`;
}

/** Which name and finality each number has. */
function describeStatuses(answer: Answer | undefined): string {
  const seen = itemsOf(answer?.body).map(
    (item) =>
      `${item.video_status} = ${item.video_status_name}, ${item.video_status_final === true ? 'final' : 'not final'}`,
  );
  return [...new Set(seen)].map(redact).toSorted().join('; ') || notSeen;
}

function describeField(answer: Answer | undefined, field: string): string {
  const values = itemsOf(answer?.body)
    .filter((item) => field in item)
    .map((item) => item[field]);
  if (values.length === 0) return notSeen;
  const shapes = [...shapeOf(values)].filter(([path]) => path !== '');
  return shapes
    .map(([path, types]) => `${path.slice(3)} ${[...types].join(' or ')}`.trim())
    .join(', ');
}

function describeOrder(answer: Answer | undefined): string {
  const times = itemsOf(answer?.body).map((item) => Date.parse(String(item.created_at)));
  if (times.length < 2 || times.some(Number.isNaN)) return notSeen;
  const isSorted = (sign: number) =>
    times.every((time, at) => at === 0 || sign * (time - (times[at - 1] ?? time)) >= 0);
  if (isSorted(-1)) return 'newest first';
  return isSorted(1) ? 'oldest first' : 'not by created_at';
}

const maxCharacters = 200;

/** Ids contain e-mail addresses, and texts may contain either. */
function redact(text: string): string {
  return text
    .replace(/\S*@\S*/g, '…')
    .replace(/https?:\/\/\S+/g, '…')
    .replace(/user:\S+/g, '…')
    .slice(0, maxCharacters);
}
