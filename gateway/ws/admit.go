package ws

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// retrySoon is what a client is told where nobody knows better: the time in
// which a full key's silent connections are found out.
const retrySoon = 3 * time.Second

// admission is one request on its way to becoming a connection.
type admission struct {
	*Server
	route *route
	w     http.ResponseWriter
	r     *http.Request
	plain bool // no WebSocket handshake: only HTTP answers are possible
	addr  netip.Addr

	credential *messages.Credential
	start      gateway.Start
	filters    []byte // as given with the address; nil: none
}

// ServeHTTP admits a client and upgrades the request, or says why not.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A client that is refused here has nothing more to ask on this connection,
	// which would otherwise idle for minutes. An upgrade does not send it.
	w.Header().Set("Connection", "close")
	route, ok := s.routes[r.URL.Path]
	if !ok {
		gateway.WriteError(w, http.StatusNotFound, "not_found", "nothing is served under this path")
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		gateway.WriteError(w, http.StatusMethodNotAllowed, "method_not_allowed", "a WebSocket is opened with GET")
		return
	}
	a := &admission{Server: s, route: route, w: w, r: r, addr: s.cfg.Proxies.ClientAddr(r)}
	defer s.admitting.Add(-1)
	if s.admitting.Add(1) > int64(s.cfg.MaxAdmitting) || s.full() {
		a.deny(messages.Refusal_REFUSAL_OVERLOAD, "", 0)
		return
	}
	a.admit()
}

// admit goes the whole way in.
func (a *admission) admit() {
	bad := checkHandshake(a.r)
	a.plain = bad != nil
	key := a.route.key(a.r)
	a.credential = gateway.Credential(key)
	if key == "" {
		a.deny(messages.Refusal_REFUSAL_UNSPECIFIED, "", 0)
		return
	}
	if a.credential.GetKeyId() == "" {
		a.wrongKey(key)
		return
	}
	if err := a.readQuery(); err != nil {
		a.malformed(http.StatusBadRequest, "invalid_query", err.Error())
		return
	}
	refused, ok := a.ask()
	switch {
	case refused.GetRefusal() == messages.Refusal_REFUSAL_UNKNOWN_KEY:
		a.wrongKey(key)
		return
	case !ok:
		a.deny(refused.GetRefusal(), refused.GetDetail(), time.Duration(refused.GetRetryAfterMs())*time.Millisecond)
		return
	case bad != nil:
		a.w.Header().Set("Upgrade", "websocket")
		a.w.Header().Set("Sec-WebSocket-Version", "13")
		a.malformed(bad.status, bad.short, bad.detail)
		return
	}
	if err := a.planFilters(); err != nil {
		a.release()
		a.refused(refusedPlan)
		gateway.WriteError(a.w, http.StatusForbidden, "plan_required", err.Error())
		return
	}
	// Only now does the client take a place: one that has no key must not.
	if !a.reserve() {
		a.release()
		a.deny(messages.Refusal_REFUSAL_OVERLOAD, "", 0)
		return
	}
	if !a.begin() {
		a.unreserve()
	}
}

// wrongKey refuses what is no key of anybody's, in full only as often as the
// throttle lets an address and a text be wrong.
func (a *admission) wrongKey(text string) {
	if after, throttled := a.cfg.Throttle.Failed(a.addr, text); throttled {
		a.refused(refusedThrottled)
		gateway.WriteRetry(a.w, http.StatusTooManyRequests, after, "too_many_failed_keys",
			"this key is wrong, and too many wrong ones came from this address; try again later")
		return
	}
	a.deny(messages.Refusal_REFUSAL_UNKNOWN_KEY, "", 0)
}

// ask asks the key's actor for a slot; a request that cannot become a
// WebSocket only has its key checked. No answer is overload.
func (a *admission) ask() (refused *messages.Refused, ok bool) {
	ctx, cancel := context.WithTimeout(a.r.Context(), a.cfg.AskTimeout)
	defer cancel()
	a.start.API = a.route.api
	a.start.ConnectionID = newID()
	keyID := a.credential.GetKeyId()
	if a.plain {
		scope := ""
		if a.route.api == messages.Api_API_NEWSRANK {
			scope = gateway.ScopeConnect
		}
		answer, err := a.keys.Ask(ctx, keyID, &messages.Authorize{Credential: a.credential, Scope: scope})
		if m, is := answer.(*messages.Refused); err == nil && is {
			return m, false
		}
		return overloaded, err == nil
	}
	answer, err := a.keys.Ask(ctx, keyID, &messages.Admit{
		Credential: a.credential, Api: a.route.api, ConnectionId: a.start.ConnectionID,
		Node: a.cfg.Node, Incarnation: a.cfg.Incarnation,
	})
	switch m := answer.(type) {
	case *messages.Refused:
		if err == nil {
			return m, false
		}
	case *messages.Admitted:
		if err == nil {
			a.start.Admitted = m
			return nil, true
		}
	}
	a.release() // the slot may have been taken all the same
	if err != nil && a.r.Context().Err() == nil {
		gateway.RequestLog(a.r, a.cfg.Log).Warn("no answer to an admission", "api", a.route.name, "key_id", keyID, "error", err)
	}
	return overloaded, false
}

var overloaded = &messages.Refused{Refusal: messages.Refusal_REFUSAL_OVERLOAD}

// release gives the slot back, although the client may have gone. Nobody
// answers a Release, so an error says nothing; a goroutine of its own, which
// ends after AskTimeout, waits for none, and not the client. If it gets
// lost, the shard finds the slot's connection missing.
func (a *admission) release() {
	s, keyID := a.Server, a.credential.GetKeyId()
	m := &messages.Release{KeyId: keyID, Api: a.route.api, ConnectionId: a.start.ConnectionID}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.cfg.AskTimeout)
		defer cancel()
		_, err := s.keys.Ask(ctx, keyID, m)
		s.cfg.Log.Debug("slot given back", "key_id", keyID, "connection", m.GetConnectionId(), "error", err)
	}()
}

// deny refuses in the API's own way, of which one upgrades in order to refuse.
func (a *admission) deny(refusal messages.Refusal, detail string, after time.Duration) {
	a.refused(reasonOf(refusal))
	d := a.route.codec.Deny(refusal, detail)
	if d.Ending != nil && !a.plain && a.reservePart(a.addr) {
		if !a.part(*d.Ending) {
			a.unreservePart(a.addr)
		}
		return
	}
	if d.Status == http.StatusTooManyRequests || d.Status == http.StatusServiceUnavailable {
		if after <= 0 {
			after = retrySoon
		}
		gateway.WriteRetry(a.w, d.Status, after, d.Error, d.Detail)
		return
	}
	gateway.WriteError(a.w, d.Status, d.Error, d.Detail)
}

// part upgrades to say the ending and nothing else.
func (a *admission) part(end dialect.Ending) bool {
	c, early, ok := a.upgrade(true)
	if !ok {
		return false
	}
	c.end(end, false)
	c.start(early)
	return true
}

func (a *admission) malformed(status int, short, detail string) {
	a.refused(refusedMalformed)
	gateway.WriteError(a.w, status, short, detail)
}

// refused counts a client that is not let in, and tells of it.
func (a *admission) refused(why refused) {
	a.route.figures.refusals[why].Add(1)
	a.cfg.Refusals.Note(a.route.name+" connection refused: "+refusedWords[why], a.addr)
}

func reasonOf(refusal messages.Refusal) refused {
	switch refusal {
	case messages.Refusal_REFUSAL_SCOPE, messages.Refusal_REFUSAL_PLAN:
		return refusedPlan
	case messages.Refusal_REFUSAL_CONNECTIONS:
		return refusedConnections
	case messages.Refusal_REFUSAL_CREDITS:
		return refusedCredits
	case messages.Refusal_REFUSAL_OVERLOAD:
		return refusedOverload
	}
	return refusedKey
}

// readQuery reads resume= and filters=. Filters are read here as if the plan
// allowed everything, so that what is malformed costs no slot.
func (a *admission) readQuery() error {
	query := a.r.URL.Query()
	if query.Has("resume") {
		a.start.Resume = true
		if text := query.Get("resume"); text != "new" {
			cursor, err := dialect.ParseCursor(text)
			if err != nil {
				return err
			}
			a.start.Cursor = &cursor
		}
	}
	if query.Has("filters") {
		a.filters = []byte(query.Get("filters"))
		filters, err := a.route.codec.Filters(a.filters, true)
		if !dialect.Given(a.filters) || errors.Is(err, dialect.ErrNotJSON) || errors.Is(err, dialect.ErrNotObject) {
			return errors.New("filters: expected a JSON object, url-encoded")
		}
		if err != nil {
			return err
		}
		a.start.Filters = filters
	}
	return nil
}

// planFilters reads the filters again as the key's plan allows.
func (a *admission) planFilters() error {
	if a.filters == nil || a.start.Admitted.GetPro() {
		return nil
	}
	_, err := a.route.codec.Filters(a.filters, false)
	return err
}

func newID() string { return "conn-" + strings.ToLower(rand.Text()) }
