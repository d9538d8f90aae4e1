// Package gateway is what every door of a node has in common: the text of an
// API key, who a client is that comes through proxies, how failed keys are
// throttled, the JSON body of an error, and an HTTP server with limits, an access
// log and certificates that reload.
//
// It decides nothing about keys itself: it reads a credential and asks the
// key's actor through Keys. It never logs a key or a query string, and never
// speaks WebSocket; that is gateway/ws.
package gateway
