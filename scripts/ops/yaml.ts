export type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml | undefined }

/** YAML in blocks, as people write it. A field that is undefined is left out. */
export const yaml = (value: Yaml): string => `${block(value, '').trimStart()}\n`

function block(value: Yaml, indent: string): string {
  if (isList(value)) {
    if (value.length === 0) return ' []'
    return value.map((item) => `\n${indent}-${after(item, `${indent}  `)}`).join('')
  }
  if (typeof value === 'object') {
    const fields = Object.entries(value).filter((field): field is [string, Yaml] => field[1] !== undefined)
    if (fields.length === 0) return ' {}'
    return fields.map(([key, item]) => `\n${indent}${scalar(key)}:${block(item, `${indent}  `)}`).join('')
  }
  return ` ${typeof value === 'string' ? scalar(value) : value}`
}

/** The first field of a list's item stands beside the dash. */
const after = (item: Yaml, indent: string): string => {
  const text = block(item, indent)
  return text.startsWith('\n') ? ` ${text.slice(1 + indent.length)}` : text
}

const isList = (value: Yaml): value is readonly Yaml[] => Array.isArray(value)

/** What YAML could take for anything but a text is put into quotes. */
function scalar(text: string): string {
  if (/^\d+[smhd]$/.test(text)) return text
  if (/^[A-Za-z/.][\w./-]*$/.test(text) && !/^(?:true|false|yes|no|on|off|null|y|n)$/i.test(text)) return text
  return /[\n\r\t]/.test(text) ? JSON.stringify(text) : `'${text.replaceAll("'", "''")}'`
}
