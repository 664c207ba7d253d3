import type { MatchLogic } from '@pydantic/genai-prices'

/** Whether a name is the one that a rule of the price table means. Case counts in a `regex` alone. */
export function matches(rule: MatchLogic, name: string): boolean {
  if ('or' in rule) return rule.or.some((each) => matches(each, name))
  if ('and' in rule) return rule.and.every((each) => matches(each, name))
  if ('regex' in rule) return new RegExp(rule.regex).test(name)
  const text = name.toLowerCase()
  if ('equals' in rule) return text === rule.equals.toLowerCase()
  if ('starts_with' in rule) return text.startsWith(rule.starts_with.toLowerCase())
  if ('ends_with' in rule) return text.endsWith(rule.ends_with.toLowerCase())
  return text.includes(rule.contains.toLowerCase())
}
