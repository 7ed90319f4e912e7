/** The composition that is in force where nothing else is. */
export const BUILTIN = "compose";

/** The built-in compositions that can be in force without any policy, the default first. */
export const COMPOSITIONS: readonly (readonly [name: string, words: string, summary: string])[] = [
  [BUILTIN, "Built-in merge", "Newest explicit activity wins, active devices go before idle ones, open before closed. A policy may decide otherwise."],
  ["union", "Everything, unresolved", "All that every device says, side by side; nothing is decided."],
  ["newest", "Newest device alone", "The device that spoke last is believed, the others are left out."],
  ["most-available", "Most available", "Conflicts go to the device at which she can best be reached."],
];

export const isComposition = (name: string) => COMPOSITIONS.some(([known]) => known === name);

/** A person's words for a composition. */
export const compositionWords = (name: string) => COMPOSITIONS.find(([known]) => known === name)?.[1] ?? name;
