import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  createThrottle,
  type Throttle,
} from '../../../../src/domains/lipsyncs/dispatch/throttle.ts';

let runs = 0;
let throttle: Throttle;

beforeEach(() => {
  vi.useFakeTimers();
  runs = 0;
  throttle = createThrottle(50, () => {
    runs += 1;
  });
});
afterEach(() => {
  vi.useRealTimers();
});

test('runs at once for the first call, and once for all calls of the next interval', () => {
  throttle.run();
  expect(runs).toBe(1);
  for (let call = 0; call < 10; call += 1) throttle.run();
  expect(runs).toBe(1);
  vi.advanceTimersByTime(50);
  expect(runs).toBe(2);
  vi.advanceTimersByTime(1_000);
  expect(runs).toBe(2);
});

test('runs at once again after a pause', () => {
  throttle.run();
  vi.advanceTimersByTime(60);
  throttle.run();
  expect(runs).toBe(2);
});

test('runs after each call', () => {
  throttle.run();
  vi.advanceTimersByTime(49);
  throttle.run();
  vi.advanceTimersByTime(1);
  expect(runs).toBe(2);
  throttle.run();
  vi.advanceTimersByTime(50);
  expect(runs).toBe(3);
});

test('does not run after a stop', () => {
  throttle.run();
  throttle.run();
  throttle.stop();
  vi.advanceTimersByTime(1_000);
  expect(runs).toBe(1);
});
