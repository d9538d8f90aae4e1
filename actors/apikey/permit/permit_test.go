package permit_test

import (
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/apikey/permit"
	"github.com/birdwire/birdwire/messages"
)

func bytes(b byte) []byte {
	hash := make([]byte, 32)
	hash[0] = b
	return hash
}

func TestVerify(t *testing.T) {
	active := &messages.Key{SecretHash: bytes(1), FormerHash: bytes(2), FormerUntilMs: 100, State: messages.KeyState_KEY_ACTIVE}
	revoked := &messages.Key{SecretHash: bytes(1), State: messages.KeyState_KEY_REVOKED}
	for name, c := range map[string]struct {
		key  *messages.Key
		hash []byte
		now  int64
		want messages.Refusal
	}{
		"right":                      {active, bytes(1), 0, 0},
		"wrong":                      {active, bytes(3), 0, messages.Refusal_REFUSAL_UNKNOWN_KEY},
		"none":                       {active, nil, 0, messages.Refusal_REFUSAL_UNKNOWN_KEY},
		"short":                      {active, []byte{1}, 0, messages.Refusal_REFUSAL_UNKNOWN_KEY},
		"former, in its time":        {active, bytes(2), 99, 0},
		"former, after its time":     {active, bytes(2), 100, messages.Refusal_REFUSAL_UNKNOWN_KEY},
		"revoked":                    {revoked, bytes(1), 0, messages.Refusal_REFUSAL_REVOKED},
		"revoked, wrong":             {revoked, bytes(3), 0, messages.Refusal_REFUSAL_UNKNOWN_KEY},
		"no key":                     {nil, bytes(1), 0, messages.Refusal_REFUSAL_UNKNOWN_KEY},
		"no key, and nothing hashed": {nil, bytes(0), 0, messages.Refusal_REFUSAL_UNKNOWN_KEY},
		"a record without a secret":  {&messages.Key{State: messages.KeyState_KEY_ACTIVE}, bytes(0), 0, messages.Refusal_REFUSAL_UNKNOWN_KEY},
	} {
		if got := permit.Verify(c.key, &messages.Credential{SecretHash: c.hash}, c.now).GetRefusal(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestUseAndScope(t *testing.T) {
	twitter, kite := messages.Api_API_TWITTER, messages.Api_API_KITE
	connections := map[messages.Api]int{twitter: 5}
	for name, c := range map[string]struct {
		key     *messages.Key
		api     messages.Api
		offered bool
		want    messages.Refusal
	}{
		"any API":          {&messages.Key{Scopes: []string{"ws:connect"}}, twitter, true, 0},
		"this API":         {&messages.Key{Scopes: []string{"ws:connect"}, Apis: []messages.Api{kite, twitter}}, twitter, true, 0},
		"another API":      {&messages.Key{Scopes: []string{"ws:connect"}, Apis: []messages.Api{kite}}, twitter, true, messages.Refusal_REFUSAL_SCOPE},
		"no scope":         {&messages.Key{}, twitter, true, messages.Refusal_REFUSAL_SCOPE},
		"no such plan":     {&messages.Key{Scopes: []string{"ws:connect"}}, twitter, false, messages.Refusal_REFUSAL_PLAN},
		"none in the plan": {&messages.Key{Scopes: []string{"ws:connect"}}, kite, true, messages.Refusal_REFUSAL_PLAN},
	} {
		if got := permit.Use(c.key, c.api, connections, c.offered).GetRefusal(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for scope, want := range map[string]bool{"rules:write": true, "rules:read": true, "ingest:read": false, "rules": false, ":read": false} {
		if got := permit.Scope(&messages.Key{Scopes: []string{"rules:write"}}, scope) == nil; got != want {
			t.Errorf("%s: %v", scope, got)
		}
	}
	if permit.Scope(&messages.Key{Scopes: []string{"rules:read"}}, "rules:write") == nil {
		t.Error("who may read may write")
	}
}

func TestBucket(t *testing.T) {
	var b permit.Bucket
	now := time.Hour
	for i := range 60 {
		if wait := b.Take(now, 60); wait != 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	if wait := b.Take(now, 60); wait != time.Second {
		t.Errorf("waits %v, want a second", wait)
	}
	if wait := b.Take(now+time.Second, 60); wait != 0 {
		t.Errorf("after a second it waits %v", wait)
	}
	if wait := b.Take(now+time.Second, 0); wait != 0 {
		t.Error("unlimited waits")
	}
}
