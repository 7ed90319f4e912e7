/** What a watcher is to Alice: the classes of the contract, from the one that most is shown to. */
export const CLASSES = ["family", "colleague", "contact", "same-domain", "service", "stranger", "anonymous"] as const;
export type WatcherClass = (typeof CLASSES)[number];

/** A watcher as `pp_view` is told of one. */
export interface Watcher {
  readonly class: WatcherClass;
  readonly groups: readonly string[];
}

export const CLASS_WORDS: Readonly<Record<WatcherClass, string>> = {
  family: "Family",
  colleague: "Colleague",
  contact: "Contact",
  "same-domain": "Same domain",
  service: "Service",
  stranger: "Stranger",
  anonymous: "Anonymous",
};

/** Bob, until the server says what he is to Alice: he is of her domain. */
export const OF_HER_DOMAIN: Watcher = { class: "same-domain", groups: [] };
