import { Button, Group, Text } from '@mantine/core';
import { Icon } from '../icon.tsx';
import type { Pages } from './use-pages.ts';

type Props = {
  pages: Pages;
  info: { hasNextPage: boolean; endCursor: string | null };
};

/** A button without a target is `aria-disabled`, not `disabled`: at the last page it must keep the keyboard focus. */
export function Pager({ pages, info: { hasNextPage, endCursor } }: Props) {
  const isFirst = pages.number === 1;
  if (isFirst && !hasNextPage) return null;
  const older = () => {
    if (hasNextPage && endCursor !== null) pages.older(endCursor);
  };
  return (
    <Group justify="space-between" component="nav" aria-label="Pages of your lip-syncs">
      <Button
        variant="default"
        size="sm"
        aria-disabled={isFirst}
        data-disabled={isFirst || undefined}
        leftSection={<Icon name="left" size={16} />}
        onClick={() => !isFirst && pages.newer()}
      >
        Newer
      </Button>
      <Text size="sm" c="dimmed" role="status">
        Page {pages.number}
      </Text>
      <Button
        variant="default"
        size="sm"
        aria-disabled={!hasNextPage}
        data-disabled={!hasNextPage || undefined}
        rightSection={<Icon name="right" size={16} />}
        onClick={older}
      >
        Older
      </Button>
    </Group>
  );
}
