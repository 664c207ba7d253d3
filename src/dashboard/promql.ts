/** What of PromQL the panels are written in. */
export type Expr =
  | { readonly is: 'number'; readonly value: number }
  | { readonly is: 'time' }
  | Selector
  | { readonly is: 'rate' | 'increase'; readonly of: Selector; readonly window: WindowSize }
  | { readonly is: 'quantile'; readonly q: number; readonly of: Expr }
  | { readonly is: 'topk'; readonly k: number; readonly of: Expr }
  | { readonly is: 'sum' | 'max'; readonly by: readonly string[]; readonly of: Expr }
  | { readonly is: 'binary'; readonly op: '+' | '-' | '*' | '/'; readonly left: Expr; readonly right: Expr }

export interface Selector {
  readonly is: 'selector'
  /** As it is exposed, `beast_` and the part of a histogram included. */
  readonly name: string
  readonly matchers: readonly Matcher[]
}

export interface Matcher {
  readonly label: string
  readonly op: string
  readonly value: string
}

/** `short`: as long as it takes to tell a speed; `range`: all the time that is shown; otherwise seconds. */
export type WindowSize = 'short' | 'range' | number

const TOKEN =
  /\s*(?:([a-zA-Z_]\w*)|(\d+(?:\.\d+)?)|("(?:[^"\\]|\\.)*")|\[([^\]]+)\]|(=~|!=|!~|[-+*/(){},=]))/y
const SECONDS = { s: 1, m: 60, h: 3600 } as const

interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'window' | 'sign' | 'end'
  readonly text: string
}

/** @throws SyntaxError for what the panels do not use */
export function parsePromql(text: string): Expr {
  const tokens = tokensOf(text)
  let at = 0
  const peek = (): Token => tokens[at] ?? { kind: 'end', text: '' }
  const take = (): Token => {
    const token = peek()
    at += 1
    return token
  }
  const has = (sign: string): boolean => {
    if (peek().kind !== 'sign' || peek().text !== sign) return false
    at += 1
    return true
  }
  const need = (sign: string): void => {
    if (!has(sign)) throw new SyntaxError(`"${sign}" is missing before "${peek().text}" in: ${text}`)
  }
  const inBrackets = <T>(read: () => T): T => {
    need('(')
    const value = read()
    need(')')
    return value
  }

  const sides = (next: () => Expr, signs: readonly ('+' | '-' | '*' | '/')[]) => (): Expr => {
    let left = next()
    for (;;) {
      const op = signs.find(has)
      if (!op) return left
      left = { is: 'binary', op, left, right: next() }
    }
  }
  const factor = (): Expr => {
    const token = peek()
    if (token.kind === 'number') return { is: 'number', value: Number(take().text) }
    if (token.kind === 'name') return named(take().text)
    return inBrackets(expression)
  }
  const expression = sides(sides(factor, ['*', '/']), ['+', '-'])

  const named = (name: string): Expr => {
    if (name === 'time') return inBrackets(() => ({ is: 'time' }))
    if (name === 'sum' || name === 'max') {
      const by = peek().text === 'by' ? labels() : []
      return { is: name, by, of: inBrackets(expression) }
    }
    if (name === 'rate' || name === 'increase') {
      return inBrackets(() => ({ is: name, of: selector(take().text), window: windowOf(take().text) }))
    }
    if (name === 'topk' || name === 'histogram_quantile') {
      return inBrackets(() => {
        const amount = Number(take().text)
        need(',')
        const of = expression()
        return name === 'topk' ? { is: 'topk', k: amount, of } : { is: 'quantile', q: amount, of }
      })
    }
    return selector(name)
  }
  const labels = (): string[] => {
    take()
    return inBrackets(() => {
      const names = [take().text]
      while (has(',')) names.push(take().text)
      return names
    })
  }
  const selector = (name: string): Selector => {
    const matchers: Matcher[] = []
    if (has('{'))
      while (!has('}')) {
        const [label, op, value] = [take().text, take().text, take().text]
        matchers.push({ label, op, value: JSON.parse(value) as string })
        has(',')
      }
    return { is: 'selector', name, matchers }
  }

  const whole = expression()
  if (peek().kind !== 'end') throw new SyntaxError(`"${peek().text}" was not expected in: ${text}`)
  return whole
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const from = TOKEN.lastIndex
    const found = TOKEN.exec(text)
    if (!found) throw new SyntaxError(`"${text.slice(from, from + 10)}" cannot be read in: ${text}`)
    const [, name, number, quoted, window, sign] = found
    if (name !== undefined) tokens.push({ kind: 'name', text: name })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number })
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted })
    else if (window !== undefined) tokens.push({ kind: 'window', text: window })
    else tokens.push({ kind: 'sign', text: sign ?? '' })
  }
  return tokens
}

function windowOf(text: string): WindowSize {
  if (text === '$__rate_interval') return 'short'
  if (text === '$__range') return 'range'
  const [, amount, unit] = /^(\d+)([smh])$/.exec(text) ?? []
  if (amount === undefined) throw new SyntaxError(`"${text}" is no length of time`)
  return Number(amount) * SECONDS[unit as keyof typeof SECONDS]
}

/** All selectors in it, in their order. */
export function selectorsOf(expr: Expr): Selector[] {
  switch (expr.is) {
    case 'selector':
      return [expr]
    case 'binary':
      return [...selectorsOf(expr.left), ...selectorsOf(expr.right)]
    case 'number':
    case 'time':
      return []
    default:
      return selectorsOf(expr.of)
  }
}
