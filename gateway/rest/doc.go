// Package rest is the owner's REST: monitors, filter rules, their logs, what
// can be asked of a query before it is a rule, push ingest and the two health
// answers, as plain HTTP.
//
// It reads and checks what a client sent, asks the key's actor, and writes the
// answer in the published field names. It keeps no state of its own but which
// pushes and backtests are under way, decides nothing about keys, limits or queries,
// and never logs a body, a key or a query string.
//
//	request ─ throttle ─ credential ─ Authorize ─▶ key's actor
//	        ─ decode, check ─ CreateMonitor …   ─▶ key's actor ─ answer
package rest
