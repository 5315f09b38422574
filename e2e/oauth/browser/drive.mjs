// Opens an address in Chromium and takes one step after another, as a user does. The
// steps are JSON on standard input. The last page is described in JSON on standard
// output.
import { chromium } from 'playwright-core'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { address, steps } = JSON.parse(readFileSync(0, 'utf8'))
const quiet = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), 'chromium-')), {
  executablePath: '/usr/bin/chromium', headless: true, args: quiet, ignoreHTTPSErrors: true, viewport: { width: 900, height: 800 },
  permissions: ['clipboard-read', 'clipboard-write'],
})
const page = context.pages()[0]
const complaints = []
page.on('console', message => { if (message.type() === 'error' || message.type() === 'warning') complaints.push(`${message.text()} (${message.location().url})`) })
page.on('pageerror', error => complaints.push(String(error)))

async function shoot(file) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: file.replace('.png', `-${colorScheme}.png`), fullPage: true })
  }
  await page.setViewportSize({ width: 360, height: 740 })
  await page.screenshot({ path: file.replace('.png', '-narrow.png'), fullPage: true })
  await page.setViewportSize({ width: 900, height: 800 })
}

await page.goto(address)
for (const step of steps) {
  if (step.fill) for (const [selector, text] of Object.entries(step.fill)) await page.fill(selector, text)
  if (step.press) await page.keyboard.press(step.press)
  if (step.click) await page.click(step.click)
  if (step.wait) await page.waitForSelector(step.wait).catch(async error => {
    throw new Error(`no ${step.wait} at ${page.url()}: ${await page.innerText('body')}`, { cause: error })
  })
  if (step.screenshot) await shoot(step.screenshot)
}
const focused = await page.evaluate(() => document.activeElement?.tagName)
console.log(JSON.stringify({ url: page.url(), title: await page.title(), text: await page.innerText('main'), focused, complaints, scripts: await page.locator('script').count() }))
await context.close()
