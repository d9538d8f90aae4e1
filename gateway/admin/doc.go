// Package admin is the operators' REST, on a listener of its own: keys, feeds,
// sources, connections, the monitors and rules of any key, health, metrics and
// profiles. Everything but the health probes and the console's own files needs
// the admin token, compared in constant time.
//
//	/admin/v1/keys                  POST, GET
//	/admin/v1/keys/{key}            GET; /revoke, /rotate POST
//	/admin/v1/keys/{key}/monitors   as the owner's, and /{id}
//	/admin/v1/keys/{key}/rules      as the owner's, and /{id}, /validate
//	/admin/v1/feeds                 POST, GET; /{id} GET, PATCH, DELETE
//	/admin/v1/sources               GET
//	/admin/v1/connections           GET; /{id} DELETE
//	/admin/v1/health                GET
//	/admin/v1/cluster               GET; /nodes/{id}/drain POST
//	/metrics, /debug/pprof/…        GET
//
// It keeps no state: keys are asked of their actors, the rest of the ports
// declared here. A key's text leaves it once, in the answer that made it, and
// is never logged.
package admin
