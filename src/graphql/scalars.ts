import { GraphQLBigInt, GraphQLDateTime } from 'graphql-scalars';
import { builder } from './builder.ts';

builder.addScalarType('DateTime', GraphQLDateTime, {
  description: 'An instant in RFC 3339, in UTC: `2026-01-31T12:34:56.789Z`.',
});

builder.addScalarType('BigInt', GraphQLBigInt, {
  description: 'A whole number that may exceed 32 bits. Above 2^53 it is written as a string.',
});

builder.scalarType('File', {
  description: 'A file sent with the GraphQL multipart request format.',
  serialize: () => {
    throw new TypeError('A File is only ever sent to the server.');
  },
});
