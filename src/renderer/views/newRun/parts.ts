export const partNames = ['data', 'augmentation', 'network', 'phases', 'options', 'json'] as const;
export type PartName = (typeof partNames)[number];

export function isPartName(value: unknown): value is PartName {
  return partNames.some((name) => name === value);
}

/** The part in which a place of the recipe is edited, and the phase it belongs to; layers are named by themselves. */
export function findPart(place: string): { readonly part: PartName; readonly phase: number | null } {
  const [, phase, field] = /^phases\.(\d+)\.(\w+)/.exec(place) ?? [];
  if (phase !== undefined) return { part: field === 'augmentation' ? 'augmentation' : 'phases', phase: Number(phase) };
  return { part: /^(input|splits|dataset)\b/.test(place) ? 'data' : 'network', phase: null };
}
