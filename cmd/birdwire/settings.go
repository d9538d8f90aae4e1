package main

import (
	"slices"
	"strings"
	"time"
)

// setting is one thing that a user can set, in three ways: retention.age in
// the file is the flag --retention-age and BIRDWIRE_RETENTION_AGE in the
// environment.
type setting struct {
	key    string
	kind   kind
	def    string // as a user would write it; "" is not set
	usage  string
	secret bool
	noFlag bool // too telling for a process list, or too large for a line
}

func (s setting) flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.key) }

func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.key))
}

const envPrefix = "BIRDWIRE_"

// The settings that more than one command has.
var (
	setData       = setting{key: "data", kind: stringKind, def: ".birdwire", usage: "the data folder; made when it is not there"}
	setAdmin      = setting{key: "admin", kind: addressKind, def: "127.0.0.1:8001", usage: "address of the operators' REST and metrics"}
	setAdminToken = setting{key: "admin_token", kind: stringKind, usage: "the operators' token; by default the one in <data>/admin.token", secret: true, noFlag: true}
	setListen     = setting{key: "listen", kind: addressKind, def: ":8000", usage: "public address: WebSockets, the owner's REST, push ingest"}
	setServer     = setting{key: "server", kind: stringKind, usage: "URL of the server; by default http://127.0.0.1 at the port of 'listen'"}
	setQuery      = setting{key: "limits.query", kind: wholeKind(1, 2048), def: "1024", usage: "characters of a rule's query"}
	setKey        = setting{key: "key", kind: stringKind, usage: "an API key; by default the one that 'serve --dev' made", secret: true}
)

// clusterSettings are those that only one of several nodes has, besides join.
var clusterSettings = []setting{
	{key: "cluster", kind: nodeKind, def: "birdwire", usage: "the cluster's name; nodes of another are refused"},
	{key: "gossip", kind: addressKind, def: ":7946", usage: "address at which the other nodes find this one, by UDP and TCP"},
	{key: "link", kind: addressKind, def: ":7947", usage: "address that takes the other nodes' messages"},
	{key: "routes", kind: addressKind, def: ":6222", usage: "address that takes the routes of the other nodes' stores"},
	{key: "advertise", kind: stringKind, usage: "host or IP by which the other nodes reach this one; by default that of the addresses above, or the one that leads to the first of 'join'"},
	{key: "secret_file", kind: stringKind, usage: "the cluster's secret, as 'birdwire cluster init' makes it; read again when it changes"},
	{key: "cert_dir", kind: stringKind, usage: "folder with this node's certificate and the cluster's CA, as 'birdwire cluster certs' makes it"},
	{key: "insecure", kind: insecureKind, def: "no", usage: "let a cluster start without certificates: loopback (the flag alone), or network where nobody else is on it"},
}

// natsSettings are of a store in a NATS that others run.
var natsSettings = []setting{
	{key: "nats", kind: urlsKind("nats://host:4222", "nats", "tls", "ws", "wss"), secret: true, usage: "servers of a NATS that others run, to keep everything in; by default the store is in this process"},
	{key: "nats_credentials", kind: stringKind, usage: "a .creds file for it"},
	{key: "nats_monitors", kind: urlsKind("http://host:8222", "http", "https"), usage: "monitoring addresses of all its servers, which must report that every write is synced"},
	{key: "nats_synced", kind: boolKind, def: "false", usage: "attest that all its servers sync every write (jetstream { sync_interval: always }), where no monitoring says so"},
	{key: "nats_replicas", kind: wholeKind(1, 5), def: "3", usage: "copies that it keeps of everything"},
}

// serveSettings are what a node can be told.
var serveSettings = slices.Concat([]setting{
	setData, setListen, setAdmin, setAdminToken,
	{key: "node", kind: nodeKind, def: "birdwire", usage: "the node's name"},
	{key: "dev", kind: boolKind, def: "false", usage: "sample data as live input, one key for each API, and lines to paste"},

	{key: "join", kind: seedsKind, usage: "gossip addresses of some nodes of the cluster, this one's among them or not: makes this node one of several"},
}, clusterSettings, natsSettings, []setting{
	{key: "tls.cert", kind: stringKind, usage: "PEM file with the public address's certificate; read again when it changes"},
	{key: "tls.key", kind: stringKind, usage: "PEM file with its key"},
	{key: "proxies", kind: networksKind, usage: "networks of the proxies whose X-Forwarded-For is believed"},

	{key: "retention.age", kind: durationKind(time.Minute, 10*365*day), def: "24h", usage: "how long events can be resumed from"},
	{key: "retention.bytes", kind: sizeKind(16 << 20), def: "10GiB", usage: "how large the log of events grows"},
	{key: "retention.items", kind: durationKind(time.Hour, 10*365*day), def: "30d", usage: "how long an article's last state is known: an edit past it is a new article"},
	{key: "disk_reserve", kind: sizeKind(0), def: "0", usage: "free disk below which ingest stops; 0: 512MiB or 2 %, whichever is more"},

	{key: "allow_private_feeds", kind: boolKind, def: "false", usage: "let feeds live on loopback and private networks"},

	{key: "enrich.articles", kind: boolKind, def: "true", usage: "read articles closely and send them enriched; false: as their sources had them"},
	{key: "enrich.pages", kind: boolKind, def: "false", usage: "read the page of an article that comes without its text, where robots.txt and the page allow it"},
	{key: "enrich.gazetteer", kind: stringKind, usage: "a file of names to look for, one JSON object a line: id, name, aliases, ticker, type; read again when it changes"},
	{key: "model.url", kind: stringKind, usage: "an endpoint that speaks OpenAI's API, as https://api.example.com/v1; without it nobody is asked"},
	{key: "model.key", kind: stringKind, usage: "the endpoint's key", secret: true, noFlag: true},
	{key: "model.embedding", kind: stringKind, usage: "the endpoint's model for vectors of 1,536 numbers"},
	{key: "model.chat", kind: stringKind, usage: "the endpoint's model for summaries of one line, and for judging developments where a story cannot tell"},
	{key: "model.timeout", kind: durationKind(time.Millisecond, 10*time.Minute), def: "20s", usage: "of one question to the endpoint; past it the article is enriched without"},
	{key: "model.parallel", kind: wholeKind(1, 1000), def: "4", usage: "questions to the endpoint at a time"},
	{key: "model.daily_tokens", kind: wholeKind(0, 1_000_000_000), def: "0", usage: "tokens that may be spent in 24 hours, as the endpoint counts them; 0: any number"},

	{key: "stories.preferred", kind: sourcesKind, usage: "ids of sources that head a story, and whose word alone makes a development; the same on every node"},
	{key: "stories.quality", kind: qualitiesKind, usage: "what an article of a source counts for, as id=0.3 to id=1; others 0.6; the same on every node"},

	{key: "embedding_model", kind: stringKind, def: "birdwire-hash-1", usage: "the model of pushed embeddings and of filters that name none"},

	{key: "limits.connections", kind: wholeKind(1, 10_000_000), def: "100000", usage: "connections of this node; past it 503"},
	{key: "limits.kite_connections", kind: wholeKind(1, 100_000), def: "5", usage: "kite connections of a key, over the whole cluster"},
	{key: "limits.rules", kind: wholeKind(1, 1_000_000), def: "50", usage: "filter rules of a key"},
	{key: "limits.monitors", kind: wholeKind(1, 1_000_000), def: "50", usage: "monitors of a key"},
	setQuery,
	{key: "limits.queue", kind: sizeKind(64 << 10), def: "1MiB", usage: "what may wait for one slow connection before it is closed"},

	{key: "limits.push", kind: sizeKind(1 << 10), def: "16MiB", usage: "a pushed body, as it is and inflated; past it 413"},
	{key: "limits.push_rate", kind: sizeKind(1), def: "4KiB", usage: "a pushed body comes with as much a second at least; slower ones end with 408"},
	{key: "limits.push_pause", kind: durationKind(time.Millisecond, time.Hour), def: "10s", usage: "how long a pushed body may pause"},
	{key: "limits.key_pushes", kind: wholeKind(1, 100_000), def: "8", usage: "pushed bodies under way of a key; past it 429"},
	{key: "limits.address_pushes", kind: wholeKind(1, 100_000), def: "192", usage: "pushed bodies under way from an address; past it 429"},
	{key: "limits.pushes", kind: wholeKind(1, 100_000), def: "256", usage: "pushed bodies under way in all, those that wait for their clients included; past it 429"},

	{key: "deflate", kind: boolKind, def: "false", usage: "negotiate permessage-deflate"},
	{key: "drain", kind: durationKind(time.Millisecond, time.Hour), def: "5s", usage: "over how long connections are closed when the server stops"},

	{key: "log.level", kind: levelKind, def: "info", usage: "debug, info, warn or error"},
	{key: "log.format", kind: oneOf("text", "json"), def: "text", usage: "of the log, which goes to stderr"},
})

// clientSettings are what the tools need to find a server.
var (
	operatorSettings = []setting{setData, setAdmin, setAdminToken}
	ownerSettings    = []setting{setData, setServer, setKey}
)

// allSettings is every setting but those of plans: a file may hold them all,
// whoever reads it.
func allSettings() []setting {
	return append(serveSettings[:len(serveSettings):len(serveSettings)], setServer, setKey)
}

// known says whether the file may hold the key.
func known(key string) bool {
	if _, field, ok := planOf(key); ok {
		return slices.ContainsFunc(planSettings(map[string]any{key: nil}), func(s setting) bool { return s.key == key && field != "" })
	}
	return slices.ContainsFunc(allSettings(), func(s setting) bool { return s.key == key })
}
