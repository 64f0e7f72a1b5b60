import type { Attributes, ReceivedSpan } from './otlp-collector.ts';

/** Names for the values that differ from run to run. */
export type Names = ReadonlyMap<string, string>;

/** Spans as a tree: each below its parent, in the order in which they began, with links and events. */
export function printTree(spans: readonly ReceivedSpan[], names: Names): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const labels = new Map(spans.map((span) => [span.spanId, span.name]));
  const inOrder = spans.toSorted((a, b) => Number(a.startedAt - b.startedAt));
  const lines: string[] = [];
  const show = (value: string | number) => names.get(String(value)) ?? String(value);
  const list = (attributes: Attributes) =>
    Object.entries(attributes)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, value]) => ` ${name}=${show(value)}`)
      .join('');

  function print(span: ReceivedSpan, indent: string): void {
    const instance = show(span.resource['service.instance.id'] ?? '');
    const mark = span.hasFailed ? ' ✗' : '';
    lines.push(`${indent}${span.name}${mark} [${instance}]${list(span.attributes)}`);
    for (const { spanId } of span.links) {
      lines.push(`${indent}  → linked to "${labels.get(spanId) ?? spanId}"`);
    }
    for (const { name, attributes } of span.events) {
      lines.push(`${indent}  · ${name}${list(attributes)}`);
    }
    const children = inOrder.filter(({ parentSpanId }) => parentSpanId === span.spanId);
    for (const child of children) print(child, `${indent}  `);
  }

  for (const span of inOrder) {
    if (ids.has(span.parentSpanId)) continue;
    lines.push(`trace ${show(span.traceId)}`);
    print(span, '  ');
  }
  return lines.join('\n');
}
