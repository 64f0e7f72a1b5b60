import { type InputIssue, type InputIssueCode, inputIssueCodes } from '../errors.ts';
import { builder } from './builder.ts';

const issueCodeDescriptions: Record<InputIssueCode, string> = {
  REQUIRED: 'The value is missing or empty.',
  TOO_LONG: 'The text, the list or the recording is too long.',
  TOO_LARGE: 'The file is too large.',
  OUT_OF_RANGE: 'The number or the time is outside the allowed range.',
  INVALID_FORMAT: 'The text does not have the required format.',
  INVALID_CHARACTER: 'The text contains a character that is not allowed.',
  INVALID_CURSOR: 'The cursor does not belong to this list.',
  DUPLICATE: 'The value must be unique, and another item has it too.',
  NOT_COMBINABLE: 'The value cannot be combined with the other values of the request.',
  UNKNOWN_ID: 'No such object exists for the caller.',
  WRONG_KIND: 'The file or the upload is of another kind than required.',
  WRONG_STATUS: 'The object cannot be used in its current status.',
  WRONG_SIZE: 'The file does not have the announced size.',
  NOT_ALLOWED: 'This server must not use the address.',
  NOT_SUPPORTED: 'The value, or the form of the file, is not supported.',
  INCOMPLETE: 'The file did not arrive completely.',
  UNREACHABLE: 'The server of a URL did not deliver the file.',
  REJECTED: 'The video service rejected the value.',
  INVALID: 'The value breaks another rule.',
};

const InputIssueCodeRef = builder.enumType('InputIssueCode', {
  description: 'The kind of rule that an input breaks. Later versions can add codes.',
  values: Object.fromEntries(
    inputIssueCodes.map((code) => [code, { description: issueCodeDescriptions[code] }]),
  ) as Record<InputIssueCode, { description: string }>,
});

/** A member of `InvalidInputError.issues`. */
export const InputIssueRef = builder.objectRef<InputIssue>('InputIssue').implement({
  description: 'A reason why the input is not valid.',
  fields: (t) => ({
    code: t.field({
      type: InputIssueCodeRef,
      description: 'The kind of rule that the field breaks, for programs.',
      resolve: ({ code }) => code,
    }),
    path: t.exposeStringList('path', {
      description:
        'The path to the invalid field, from the argument inwards, such as `["input", "speech", "script", "text"]`.',
    }),
    message: t.exposeString('message', { description: 'The rule that the field breaks.' }),
  }),
});
