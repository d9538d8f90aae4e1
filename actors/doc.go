// Package actors holds the actors, one a package, and what they share: the
// ports that all take from their node, the names of the records that several
// read, and the restart budget of supervisors. It has no actor of its own.
//
// # The actor map
//
//	upstreams   one per node: keeps the feeds, starts a source for each
//	singleton   one per node and source: of each source one runs in the cluster
//	source      one per upstream: reads it, asks the item table, offers events
//	journal     one per node: group commit; one frame in flight
//	router      one per node: frames in order, matched, handed on; a second one
//	            serves the subscriptions with semantic filters
//	shard       1,024: supervises keys, owns their slots
//	apikey      one per key in use: admits, spends credits, keeps order
//	monitor     a child of its key: the accounts it watches
//	filterrule  a child of its key: the query it compiles
//	enricher    one per node: reads the articles of its lanes closely
//	newsdesk    one in the cluster: gives every article its story
//	storycluster  a child of the newsdesk, one per story that something happens to
//	connection  one per socket: what its client asks for, credit; how it reads the
//	            log and then listens is the engine follow's
//
// # The supervision tree
//
//	node ── upstreams                restart; past the budget again after a pause
//	     │   ── source (each)        restart after a pause; resumes at its mark
//	     ── journal, router, desk    restart; past the budget the node stops
//	     ── shard                    restart; past the budget again after a pause
//	     │   ── apikey               restart the one; rebuilt from the store
//	     │            ── monitor     restart the one
//	     │            ── filterrule  restart the one
//	     ── enricher                 restart; past the budget again after a pause
//	     ── newsdesk                 restart from snapshot and log; past the budget again after a pause
//	     │   ── storycluster (each)  its failure is the newsdesk's
//	     ── connection (each)        stop: the client resumes by cursor
//
// # The walk of one event
//
//	source     Offer ───────────▶ journal
//	journal    (frame, durable)   Appended ▶ source
//	journal    FrameAppended ───▶ router of every node
//	router     Deliveries ──────▶ connection   (articles and stories)
//	router     Matched ─▶ shard ▶ apikey       (posts)
//	apikey     Deliveries ──────▶ connection
//	connection Deliver ─────────▶ its Socket
//	enricher   Offer ───────────▶ journal        (articles again, enriched)
//	newsdesk   TellStory ───────▶ storycluster   StoryTold ▶ newsdesk
//	newsdesk   Offer ───────────▶ journal        (stories)
//
// Back travel only acknowledgements, credit and admission:
//
//	gateway    Admit ─▶ shard ─▶ apikey  TakeSlot ▶ shard  Admitted ▶ gateway
//	connection Join, Leave, AskThrough ──▶ router or apikey  Joined, Left, Through ▶ connection
//	connection AskVoids ▶ router          VoidsKnown ▶ connection  (to read the log)
//	connection AskQueries ▶ apikey        Queries ▶ connection
//	connection AskCredit ─▶ apikey        CreditGranted ▶ connection
//
// A message that carries a key_id and is sent to a shard is handed on to that
// key's actor, which is started when it is not there. Where the shard is, the
// Owners port says, for every message: who is not the owner answers NotOwner.
//
// An actor has no goroutine, clock, socket, lock or global randomness: time,
// chance and blocking work come from its node through Clock, Rand and Worker,
// so that the same code runs in a simulation from a seed.
package actors
