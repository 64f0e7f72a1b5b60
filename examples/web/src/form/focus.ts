/** By priority: text speech has a field of its own, audio has only the choice of its source. */
const selectors = {
  VIDEO: ['input[name=video]:checked', 'input[name=video]'],
  SPEECH: ['#text', '[aria-label="Speech source"] input:checked'],
};

/** Moves the focus to the part of the form that must be changed. */
export function focusPart(part: keyof typeof selectors): void {
  const [element] = selectors[part].flatMap((selector) => document.querySelector(selector) ?? []);
  if (element instanceof HTMLElement) element.focus();
}
