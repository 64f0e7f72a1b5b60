import { Text } from '@mantine/core';
import { Icon } from '../icon.tsx';
import classes from './file-area.module.css';

type Props = {
  label: string;
  hint: string;
  /** Media types, with commas. */
  accept: string;
  onFile: (file: File) => void;
};

/** The input covers the area, so that clicks, the keyboard and dropped files reach it. */
export function FileArea({ label, hint, accept, onFile }: Props) {
  return (
    <label className={classes.area}>
      <input
        className={classes.input}
        type="file"
        accept={accept}
        onChange={({ currentTarget }) => {
          const [file] = currentTarget.files ?? [];
          // Reset, so that the same file can be chosen again after a failure.
          currentTarget.value = '';
          if (file !== undefined) onFile(file);
        }}
      />
      <Icon name="upload" size={22} />
      <span>
        <Text component="span" fw={600} size="sm" display="block">
          {label}
        </Text>
        <Text component="span" c="dimmed" size="sm" display="block">
          {hint}
        </Text>
      </span>
    </label>
  );
}
