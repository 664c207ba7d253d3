/** What we call some providers, and what the price table does. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['gemini', 'google'],
  ['workers-ai', 'cloudflare'],
  ['xai', 'x-ai'],
])

export const listedName = (providerId: string): string => ALIASES.get(providerId) ?? providerId

/** `-20251105` as `-2025-11-05`, where that is a day: vendors write the date of a model either way. */
export const dashedDates = (model: string): string =>
  model.replace(/-(20\d\d)(\d\d)(\d\d)(?=[-:]|$)/g, (text, year, month, day) => {
    const date = new Date(`${year}-${month}-${day}T00:00:00Z`)
    return date.getUTCDate() === Number(day) ? `-${year}-${month}-${day}` : text
  })
