import { type CSSVariablesResolver, createTheme } from '@mantine/core';

/** White text is legible on the two shades of buttons: 6 in dark mode, 7 in light mode. */
const lagoon = [
  '#e7f6f3',
  '#cfeae5',
  '#a5d6cd',
  '#74c0b4',
  '#4aab9d',
  '#2b9a8b',
  '#117c70',
  '#0d6b62',
  '#0a5750',
  '#063f3a',
] as const;

/** Warm greys. */
const gray = [
  '#faf9f7',
  '#f3f1ec',
  '#e9e6df',
  '#dcd8d0',
  '#c9c5bc',
  '#aeaaa1',
  '#8a877f',
  '#5f5d57',
  '#454440',
  '#2b2b28',
] as const;
const dark = [
  '#d5dad8',
  '#b3bab7',
  '#8f9794',
  '#737b78',
  '#3a413f',
  '#2f3533',
  '#262b29',
  '#1b1f1e',
  '#161a19',
  '#121514',
] as const;

const font = "'Figtree Variable', system-ui, -apple-system, 'Segoe UI', sans-serif";

export const theme = createTheme({
  colors: { lagoon, gray, dark },
  primaryColor: 'lagoon',
  primaryShade: { light: 7, dark: 6 },
  fontFamily: font,
  headings: { fontFamily: font, fontWeight: '680' },
  defaultRadius: 'md',
  radius: { md: '12px', lg: '18px' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Paper: { defaultProps: { radius: 'lg' } },
    Badge: { defaultProps: { radius: 'sm' }, styles: { label: { textTransform: 'none' } } },
    Alert: { defaultProps: { radius: 'md' } },
  },
});

/** The page's own colours. Each has the contrast that WCAG AA requires for its use. */
export const resolveVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#f6f4f0',
    '--mantine-color-dimmed': '#5c6360',
    '--mantine-color-text': '#1c2321',
    '--mantine-primary-color-text': '#0d6b62',
    '--card': '#ffffff',
    '--quiet': '#efece6',
    '--line': '#e2ded6',
    '--line-strong': '#8d928f',
    '--focus': '#0d6b62',
    '--mantine-color-error': '#b42318',
    '--bad': '#b42318',
    '--warn': '#8a5200',
  },
  dark: {
    '--mantine-color-body': '#121514',
    '--mantine-color-dimmed': '#a3aba8',
    '--mantine-color-text': '#eceeed',
    '--mantine-primary-color-text': '#74c0b4',
    '--card': '#1b1f1e',
    '--quiet': '#262b29',
    '--line': '#2f3533',
    '--line-strong': '#737b78',
    '--focus': '#74c0b4',
    '--mantine-color-error': '#ff8a7a',
    '--bad': '#ff8a7a',
    '--warn': '#f0b35a',
  },
});
