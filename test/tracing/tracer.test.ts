import { describe, expect, test } from 'vitest';
import { NotFoundError } from '../../src/errors.ts';
import { nameThrown } from '../../src/tracing/span.ts';
import { isSampled, readTraceContext } from '../../src/tracing/tracer.ts';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const span = '00f067aa0ba902b7';
const valid = `00-${trace}-${span}-01`;

describe('the trace of a caller', () => {
  test.each([
    [valid, valid],
    [`00-${trace}-${span}-00`, `00-${trace}-${span}-00`],
    // A later version may have more fields.
    [`01-${trace}-${span}-01-more`, valid],
    [`cc-${trace}-${span}-01`, valid],
  ])('is read from %s', (header, traceparent) => {
    expect(readTraceContext(header)).toEqual({ traceparent });
  });

  test.each([
    ['no text', 17],
    ['nothing', undefined],
    ['an empty text', ''],
    ['the forbidden version', `ff-${trace}-${span}-01`],
    ['more fields in the first version', `${valid}-more`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${span}-01`],
    ['a span of zeros', `00-${trace}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${trace.toUpperCase()}-${span}-01`],
    ['a short trace', `00-${trace.slice(1)}-${span}-01`],
    ['a text that is too long', `01-${trace}-${span}-01-${'x'.repeat(600)}`],
    ['something else', "'; drop table lipsyncs; --"],
  ])('is ignored if it is %s', (_, header) => {
    expect(readTraceContext(header)).toBeNull();
  });

  test('keeps its state, unless that is too long or not a text', () => {
    expect(readTraceContext(valid, 'a=1,b=2')).toEqual({
      traceparent: valid,
      tracestate: 'a=1,b=2',
    });
    expect(readTraceContext(valid, 'x'.repeat(513))).toEqual({ traceparent: valid });
    expect(readTraceContext(valid, ['a=1'])).toEqual({ traceparent: valid });
  });

  test('says by its last bit whether it is recorded', () => {
    expect(isSampled(valid)).toBe(true);
    expect(isSampled(`00-${trace}-${span}-03`)).toBe(true);
    expect(isSampled(`00-${trace}-${span}-02`)).toBe(false);
    expect(isSampled(null)).toBe(false);
  });
});

test('an error is named by its code or its class, and never by its message', () => {
  expect(nameThrown(new NotFoundError('The video'))).toBe('NOT_FOUND');
  expect(nameThrown(Object.assign(new Error('secret'), { code: 'ECONNRESET' }))).toBe('ECONNRESET');
  expect(nameThrown(Object.assign(new Error('a'), { code: 'a secret value' }))).toBe('Error');
  expect(nameThrown(new TypeError('secret'))).toBe('TypeError');
  expect(nameThrown('secret')).toBe('string');
  expect(nameThrown(null)).toBe('object');
});
