import type { Notice } from '../alert-notices.ts'
import { isAddress, type Line, type LineIo, post } from './channel.ts'

const SETTING = 'SLACK_WEBHOOK_URL'
const SIGNS: Readonly<Record<Notice['kind'], string>> = {
  firing: ':rotating_light:',
  resolved: ':white_check_mark:',
  test: ':wave:',
  budget: ':moneybag:',
}

/** An incoming webhook: its address is the secret. */
export function slackLine(io: LineIo, url: string | undefined): Line {
  if (!url) return { off: `${SETTING} is not set.` }
  if (!isAddress(url)) return { off: `${SETTING} is not an https address.` }
  return {
    send: (notice) => post(io, { name: 'Slack', setting: SETTING, url, body: { text: textOf(notice) } }),
  }
}

function textOf({ kind, rule, severity, summary, details, atMs }: Notice): string {
  const state =
    kind === 'firing' || kind === 'budget' ? `${severity}: ` : kind === 'resolved' ? 'resolved: ' : ''
  // Slack shows the time in the reader's own zone, or the text behind it.
  const time = `<!date^${Math.floor(atMs / 1_000)}^{date_short_pretty} {time}|${new Date(atMs).toISOString()}>`
  return `${SIGNS[kind]} *${escaped(`${state}${rule}`)}* ${time}\n${escaped(`${summary}. ${details}`)}`
}

/** The three that mean something to Slack. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
