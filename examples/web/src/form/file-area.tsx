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

/** The input itself covers the area, so that a click, the keyboard and a file that is dropped there all reach it. */
export function FileArea({ label, hint, accept, onFile }: Props) {
  return (
    <label className={classes.area}>
      <input
        className={classes.input}
        type="file"
        accept={accept}
        onChange={({ currentTarget }) => {
          const [file] = currentTarget.files ?? [];
          // The same file may be chosen again, after it failed.
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
