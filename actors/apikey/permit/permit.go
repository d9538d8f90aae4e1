// Package permit is what a key allows: whether a credential is its, which APIs
// and scopes it has, how many requests a minute. It decides from what it is
// given, and knows neither actors nor the number of connections that are open.
package permit

import (
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// Connect is the scope that connections need.
const Connect = "ws:connect"

// noHash is compared with where there is no key, so that an unknown id takes
// as long as a wrong secret.
var noHash [32]byte

// Verify is nil for the credential of an active key; key is nil where there is
// none. now is in Unix milliseconds: the secret before a rotation is taken for
// a time.
func Verify(key *messages.Key, c *messages.Credential, now int64) *messages.Refused {
	present := same(key.GetSecretHash(), c)
	former := same(key.GetFormerHash(), c) && now < key.GetFormerUntilMs()
	switch {
	case !present && !former:
		return Refuse(messages.Refusal_REFUSAL_UNKNOWN_KEY, "the key is not one that is known here")
	case key.GetState() != messages.KeyState_KEY_ACTIVE:
		return Refuse(messages.Refusal_REFUSAL_REVOKED, "the key has been revoked")
	}
	return nil
}

// same takes the same time whatever it finds, also where there is no hash.
func same(hash []byte, c *messages.Credential) bool {
	known := len(hash) > 0
	if !known {
		hash = noHash[:]
	}
	return subtle.ConstantTimeCompare(hash, c.GetSecretHash()) == 1 && known
}

// Use is nil where the key's own fields and its plan allow connections to the
// API: connections are the plan's; offered says that there is such a plan.
func Use(key *messages.Key, api messages.Api, connections map[messages.Api]int, offered bool) *messages.Refused {
	if apis := key.GetApis(); len(apis) > 0 && !slices.Contains(apis, api) {
		return Refuse(messages.Refusal_REFUSAL_SCOPE, "the key is not for this API")
	}
	if r := Scope(key, Connect); r != nil {
		return r
	}
	if !offered {
		return Refuse(messages.Refusal_REFUSAL_PLAN, fmt.Sprintf("the plan %q is not offered any more", key.GetPlan()))
	}
	if connections[api] <= 0 {
		return Refuse(messages.Refusal_REFUSAL_PLAN, fmt.Sprintf("the plan %q has no such connections", key.GetPlan()))
	}
	return nil
}

// Scope is nil where the key has the scope; who may write may read.
func Scope(key *messages.Key, scope string) *messages.Refused {
	scopes := key.GetScopes()
	if slices.Contains(scopes, scope) {
		return nil
	}
	if what, reads := strings.CutSuffix(scope, ":read"); reads && slices.Contains(scopes, what+":write") {
		return nil
	}
	return Refuse(messages.Refusal_REFUSAL_SCOPE, "the key lacks the scope "+scope)
}

// Refuse is a refusal with a sentence for a person.
func Refuse(why messages.Refusal, detail string) *messages.Refused {
	return &messages.Refused{Refusal: why, Detail: detail}
}

// Bucket spreads a minute's requests: it is full at first and fills steadily.
type Bucket struct {
	level float64
	at    time.Duration
}

// Take is 0, or how long until the next request is allowed. now is since some
// moment, the same at every call.
func (b *Bucket) Take(now time.Duration, perMinute int) time.Duration {
	if perMinute <= 0 {
		return 0
	}
	most := float64(perMinute)
	b.level = min(most, b.level+(now-b.at).Minutes()*most)
	b.at = now
	if b.level >= 1 {
		b.level--
		return 0
	}
	return max(time.Duration((1-b.level)/most*float64(time.Minute)), time.Millisecond)
}
