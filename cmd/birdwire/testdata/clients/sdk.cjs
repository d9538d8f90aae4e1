// Drives the vendor's own Node library against a server: BASE is its base URL,
// KEY an API key. It makes a monitor and a rule, streams, and prints one line
// for each thing that happened.
const path = require('node:path');
const { pathToFileURL } = require('node:url');

// The package's build for require() exports nothing; the other one is in the same folder.
const entry = path.join(path.dirname(require.resolve('scrapebadger')), 'index.mjs');

async function main() {
  const { ScrapeBadger } = await import(pathToFileURL(entry));
  const { stream } = new ScrapeBadger({ apiKey: process.env.KEY, baseUrl: process.env.BASE, maxRetries: 1 }).twitter;

  const monitor = await stream.createMonitor({ name: 'Tech Leaders', usernames: ['@ElonMusk'], pollIntervalSeconds: 5 });
  const rule = await stream.createFilterRule({ tag: 'moon', query: 'moon -is:retweet', interval_seconds: 60 });
  console.log('made', monitor.usernames.join(), rule.tag);
  console.log('listed', (await stream.listMonitors()).total, (await stream.listFilterRules()).total);
  console.log('valid', (await stream.validateFilterRuleQuery('moon')).valid, (await stream.validateFilterRuleQuery('moon (')).valid);
  await stream.createFilterRule({ tag: 'moon', query: 'x', interval_seconds: 60 }).catch((e) => console.log('refused', e.name));
  await stream.updateFilterRule(rule.id, { max_results_per_poll: 7 });
  console.log('tiers', (await stream.getFilterRulePricingTiers()).tiers.length);

  const events = stream.connect();
  events.on('connected', (e) => console.log('connected', e.connectionId.slice(0, 5), e.apiKeyId));
  events.on('ping', (e) => console.log('ping', !Number.isNaN(Date.parse(e.timestamp))));
  events.on('error', (e) => console.log('error', e.code, e.message));
  events.on('close', () => { console.log('closed'); });
  events.on('tweet', async (e) => {
    const by = { [monitor.id]: 'monitor', [rule.id]: 'rule' }[e.monitorId];
    console.log('tweet', by, e.tweetId, e.authorUsername, e.tweet.username, e.tweet.text, e.latencyMs >= 0, Date.parse(e.detectedAt) - Date.parse(e.tweetPublishedAt) === e.latencyMs);
    if (e.tweet.text.includes('goodbye')) {
      const logs = await stream.listDeliveryLogs({ monitorId: monitor.id });
      console.log('logs', logs.total);
      await stream.deleteFilterRule(rule.id);
      await stream.getFilterRule(rule.id).catch((e) => console.log('refused', e.name));
      events.close();
    }
  });
}

main().catch((e) => { console.error(e); process.exit(1); });
