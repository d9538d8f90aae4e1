package admin

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// minted is the one answer that shows a key.
type minted struct {
	ID     string   `json:"id"`
	Key    string   `json:"key"`
	Name   string   `json:"name"`
	Plan   string   `json:"plan"`
	Scopes []string `json:"scopes"`
	Owner  string   `json:"owner,omitempty"`
	APIs   []string `json:"apis,omitempty"` // none: every API
}

// listed is a key in a list.
type listed struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Plan       string   `json:"plan"`
	Scopes     []string `json:"scopes"`
	Owner      string   `json:"owner,omitempty"`
	APIs       []string `json:"apis,omitempty"`
	State      string   `json:"state"` // active | revoked
	CreatedAt  string   `json:"created_at"`
	LastUsedAt *string  `json:"last_used_at"` // to the minute; null: never
}

// shown is one key with what it uses.
type shown struct {
	listed
	Connections int32  `json:"connections"`
	Usage       usage  `json:"usage"`
	Node        string `json:"node,omitempty"` // of the cluster, that owns it
}

type usage struct {
	Month        string `json:"month"` // "2026-11"
	CreditsUsed  int64  `json:"credits_used"`
	CreditsLimit int64  `json:"credits_limit"` // 0: unlimited
}

var apiNames = map[string]messages.Api{
	"twitter":  messages.Api_API_TWITTER,
	"newsrank": messages.Api_API_NEWSRANK,
	"kite":     messages.Api_API_KITE,
}

func apiName(api messages.Api) string {
	for name, a := range apiNames {
		if a == api {
			return name
		}
	}
	return "unknown"
}

func apisOf(k *messages.Key) (names []string) {
	for _, a := range k.GetApis() {
		names = append(names, apiName(a))
	}
	return names
}

func scopesOf(k *messages.Key) []string {
	if k.GetScopes() == nil {
		return []string{}
	}
	return k.GetScopes()
}

func list(k *messages.Key) listed {
	state := "active"
	if k.GetState() == messages.KeyState_KEY_REVOKED {
		state = "revoked"
	}
	return listed{
		ID: k.GetId(), Name: k.GetName(), Plan: k.GetPlan(), Scopes: scopesOf(k), Owner: k.GetOwner(), APIs: apisOf(k),
		State: state, CreatedAt: stamp(k.GetCreatedMs()), LastUsedAt: stampOrNull(k.GetLastUsedMs()),
	}
}

func (s *server) show(m *messages.KeyDescribed) shown {
	k := shown{
		listed: list(m.GetKey()), Connections: m.GetConnections(),
		Usage: usage{Month: m.GetMonth(), CreditsUsed: m.GetCreditsUsed(), CreditsLimit: m.GetCreditsLimit()},
	}
	if s.cfg.Cluster != nil {
		k.Node = s.cfg.Cluster.KeyNode(k.ID)
	}
	return k
}

// defaultScopes are a new key's where the field was not sent; an empty list is
// none. Pushing is for those who feed the cluster: it is asked for.
var defaultScopes = []string{gateway.ScopeConnect, gateway.ScopeRules}

func (s *server) createKey(w http.ResponseWriter, r *http.Request) {
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	key := keyFields(f, s.cfg.Plans)
	f.Need("name", "plan")
	key.State, key.CreatedMs = messages.KeyState_KEY_ACTIVE, s.cfg.Now().UnixMilli()
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	if !f.Has("scopes") {
		key.Scopes = defaultScopes
	}
	text, id, hash, err := gateway.MintKey(s.cfg.Random, "")
	if err != nil {
		s.fault(w, r, err)
		return
	}
	key.Id, key.SecretHash = id, hash
	if m := s.askKey(w, r, id, &messages.CreateKey{Key: key}); m != nil {
		s.changed(r, "key created", "key", id, "name", m.GetKey().GetName(), "plan", m.GetKey().GetPlan(), "scopes", m.GetKey().GetScopes())
		gateway.WriteJSON(w, http.StatusCreated, mintedOf(text, m.GetKey()))
	}
}

func mintedOf(text string, k *messages.Key) minted {
	return minted{ID: k.GetId(), Key: text, Name: k.GetName(), Plan: k.GetPlan(), Scopes: scopesOf(k), Owner: k.GetOwner(), APIs: apisOf(k)}
}

// words is a list of known words, each once.
func words(f *gateway.Fields, field string, known []string) (out []string) {
	for _, word := range f.Strings(field) {
		if !slices.Contains(known, word) {
			f.Fail(field, "may hold "+strings.Join(known, ", "), strings.Join(known, "|"))
			return nil
		}
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

func (s *server) listKeys(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	keys, err := s.cfg.KeyList.ListKeys(ctx)
	if err != nil {
		s.fault(w, r, err)
		return
	}
	out := make([]listed, 0, len(keys))
	for _, k := range keys {
		out = append(out, list(k))
	}
	gateway.WriteJSON(w, http.StatusOK, map[string][]listed{"keys": out})
}

func (s *server) showKey(w http.ResponseWriter, r *http.Request) {
	s.tellKey(w, r, "", func(id string) proto.Message { return &messages.DescribeKey{KeyId: id} })
}

func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) {
	s.tellKey(w, r, "key revoked", func(id string) proto.Message { return &messages.RevokeKey{KeyId: id} })
}

// updateKey changes the fields that were sent.
func (s *server) updateKey(w http.ResponseWriter, r *http.Request) {
	id, ok := keyOf(w, r)
	if !ok {
		return
	}
	f, ok := gateway.ReadFields(w, r)
	if !ok {
		return
	}
	key := keyFields(f, s.cfg.Plans)
	var changed []string
	for _, field := range []string{"name", "owner", "plan", "scopes", "apis"} {
		if f.Has(field) {
			changed = append(changed, field)
		}
	}
	if len(changed) == 0 {
		f.Fail("body", "must name at least one of name, owner, plan, scopes and apis", "")
	}
	if f.Bad != nil {
		gateway.WriteInvalid(w, f.Bad)
		return
	}
	if m := s.askKey(w, r, id, &messages.UpdateKey{KeyId: id, Key: key, Fields: changed}); m != nil {
		s.changed(r, "key changed", "key", id, "fields", changed, "plan", m.GetKey().GetPlan())
		gateway.WriteJSON(w, http.StatusOK, s.show(m))
	}
}

// keyFields are a key's own fields, as far as they were sent.
func keyFields(f *gateway.Fields, plans []string) *messages.Key {
	f.Only("a key", "name", "owner", "plan", "scopes", "apis")
	key := &messages.Key{
		Name:   f.Label("name", 100),
		Owner:  f.Text("owner", 0, 200),
		Plan:   f.OneOf("plan", plans...),
		Scopes: words(f, "scopes", gateway.Scopes),
	}
	for _, name := range words(f, "apis", []string{"twitter", "newsrank", "kite"}) {
		key.Apis = append(key.Apis, apiNames[name])
	}
	return key
}

// tellKey asks about the key that the path names; change says what it does to it,
// for the log, "" where it does nothing.
func (s *server) tellKey(w http.ResponseWriter, r *http.Request, change string, command func(id string) proto.Message) {
	id, ok := keyOf(w, r)
	if !ok {
		return
	}
	if m := s.askKey(w, r, id, command(id)); m != nil {
		if change != "" {
			s.changed(r, change, "key", id)
		}
		gateway.WriteJSON(w, http.StatusOK, s.show(m))
	}
}

// mostGrace is how many seconds a rotated key's old text may be taken: 90 days.
const mostGrace = 90 * 24 * 3600

func (s *server) rotateKey(w http.ResponseWriter, r *http.Request) {
	id, ok := keyOf(w, r)
	if !ok {
		return
	}
	var grace float64
	if r.ContentLength != 0 { // without a body the old text ends at once
		f, ok := gateway.ReadFields(w, r)
		if !ok {
			return
		}
		f.Only("a rotation", "grace_seconds")
		if grace = f.Number("grace_seconds", 0, mostGrace, 0); f.Bad != nil {
			gateway.WriteInvalid(w, f.Bad)
			return
		}
	}
	text, _, hash, err := gateway.MintKey(s.cfg.Random, id)
	if err != nil {
		s.fault(w, r, err)
		return
	}
	if m := s.askKey(w, r, id, &messages.RotateKey{KeyId: id, SecretHash: hash, GraceMs: int64(grace * 1000)}); m != nil {
		s.changed(r, "key rotated", "key", id, "grace", time.Duration(grace*float64(time.Second)))
		gateway.WriteJSON(w, http.StatusOK, mintedOf(text, m.GetKey()))
	}
}

var keyID = regexp.MustCompile(`^key-[a-z2-7]{10}$`)

// keyOf is the key that the path names; what cannot be one is not found
// without asking.
func keyOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	id := r.PathValue("key")
	if !keyID.MatchString(id) {
		noKey(w)
		return "", false
	}
	return id, true
}

// liveKey is the key that the path names, if it has monitors and rules: a revoked
// one was left without any, and who asks for them is told that, and not that
// there is no such key.
func (s *server) liveKey(w http.ResponseWriter, r *http.Request, _ bool) (string, bool) {
	id, ok := keyOf(w, r)
	if !ok {
		return "", false
	}
	m := s.askKey(w, r, id, &messages.DescribeKey{KeyId: id})
	if m == nil {
		return "", false
	}
	if m.GetKey().GetState() == messages.KeyState_KEY_REVOKED {
		gateway.WriteError(w, http.StatusConflict, "conflict", "the key has been revoked; its monitors and rules were deleted with it")
		return "", false
	}
	return id, true
}

func noKey(w http.ResponseWriter) {
	gateway.WriteError(w, http.StatusNotFound, "not_found", "there is no such key; a key's id reads key-… and is in the list of keys")
}

// askKey asks a key's actor and answers the client itself where that is no
// description; nil comes back then.
func (s *server) askKey(w http.ResponseWriter, r *http.Request, id string, command proto.Message) *messages.KeyDescribed {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	answer, err := known{s.cfg.Keys}.Ask(ctx, id, command)
	if err != nil {
		s.fault(w, r, err)
		return nil
	}
	switch m := answer.(type) {
	case *messages.KeyDescribed:
		return m
	case *messages.Rejected:
		switch m.Rejection {
		case messages.Rejection_REJECTION_NOT_FOUND:
			noKey(w)
		case messages.Rejection_REJECTION_CONFLICT:
			gateway.WriteError(w, http.StatusConflict, "conflict", m.Detail)
		case messages.Rejection_REJECTION_INVALID:
			gateway.WriteInvalid(w, &gateway.Invalid{Field: m.Field, Reason: m.Detail, Expected: m.Expected})
		default:
			gateway.WriteRetry(w, http.StatusServiceUnavailable, time.Second, "unavailable", cmp.Or(m.Detail, "the store did not answer; look first whether the change was made, then try again"))
		}
	case *messages.Refused:
		gateway.WriteRetry(w, http.StatusServiceUnavailable, time.Duration(m.RetryAfterMs)*time.Millisecond, "unavailable", cmp.Or(m.Detail, "the key's owner is busy; try again"))
	default:
		gateway.RequestLog(r, s.cfg.Log).Error("unexpected answer", "command", command.ProtoReflect().Descriptor().Name(), "answer", answer)
		gateway.WriteError(w, http.StatusInternalServerError, "internal", "the request failed inside the server; the log says why")
	}
	return nil
}

// known makes "unknown key", which a client hears as 401, a plain "not found":
// here the key was named, not presented.
type known struct{ gateway.Keys }

func (k known) Ask(ctx context.Context, keyID string, command proto.Message) (proto.Message, error) {
	answer, err := k.Keys.Ask(ctx, keyID, command)
	if m, ok := answer.(*messages.Refused); ok && m.Refusal == messages.Refusal_REFUSAL_UNKNOWN_KEY {
		return &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND, Detail: "there is no such key"}, err
	}
	return answer, err
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

func stampOrNull(ms int64) *string {
	if ms == 0 {
		return nil
	}
	s := stamp(ms)
	return &s
}
