/** Half-lives in days. Which one tells most of tomorrow is learnt for each tenant; see belief.ts. */
export const MEMORIES = [1, 4, 28] as const

/** The index of the longest one. */
export const LONGEST = MEMORIES.length - 1

/** The index of the one that forgets within a week. */
export const OF_LATE = 1

/** What a day leaves of a sum. */
export const fade = (memory: number): number => 2 ** (-1 / (MEMORIES[memory] as number))
