import { type HttpRequest, type HttpResponse, sendRequest } from '../support/http.ts';

// The former names of `support/http.ts`, for tests that are still to be moved.

export type Sent = HttpRequest;
export type Received = HttpResponse;
export const send = sendRequest;
