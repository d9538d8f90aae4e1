package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// owner identifies who calls one of the twitter paths. Reading needs either
// rules scope, changing needs rules:write.
func (s *Server) owner(w http.ResponseWriter, r *http.Request, write bool) (keyID string, ok bool) {
	scope := ""
	if write {
		scope = gateway.ScopeRules
	}
	key, ok := s.authorize(w, r, scope)
	if !ok {
		return "", false
	}
	if len(key.Apis) > 0 && !slices.Contains(key.Apis, messages.Api_API_TWITTER) {
		s.refused(r, "the API key is not for this API")
		gateway.WriteError(w, http.StatusForbidden, "forbidden", "this API key is not for the twitter API")
		return "", false
	}
	if !write && !slices.Contains(key.Scopes, gateway.ScopeRules) && !slices.Contains(key.Scopes, gateway.ScopeRead) {
		s.refused(r, refusedWords[messages.Refusal_REFUSAL_SCOPE])
		forbidden(w, gateway.ScopeRead)
		return "", false
	}
	return key.Id, true
}

// authorize asks the key's actor whether the credential is good and has the
// scope ("" asks for none), and answers the client itself where it is not.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, scope string) (*messages.Key, bool) {
	text, given := presented(r)
	if !given {
		s.refused(r, "no API key")
		unauthorized(w, "Missing API key. Include an x-api-key header.")
		return nil, false
	}
	credential := gateway.Credential(text)
	if credential.KeyId == "" {
		s.wrongKey(w, r, text)
		return nil, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeout)
	defer cancel()
	answer, err := s.cfg.Keys.Ask(ctx, credential.KeyId, &messages.Authorize{Credential: credential, Scope: scope})
	if err != nil {
		s.resources.unavailable(w, r, err)
		return nil, false
	}
	switch m := answer.(type) {
	case *messages.Authorized:
		if m.GetKey() != nil {
			return m.Key, true
		}
		s.resources.unexpected(w, r, &messages.Authorize{}, answer)
	case *messages.Refused:
		if m.Refusal == messages.Refusal_REFUSAL_UNKNOWN_KEY {
			s.wrongKey(w, r, text)
			return nil, false
		}
		s.refused(r, refusedWords[m.Refusal])
		writeRefused(w, m, scope)
	default:
		s.resources.unexpected(w, r, &messages.Authorize{}, answer)
	}
	return nil, false
}

// wrongKey refuses what is no key of anybody's, in full only as often as the
// throttle lets an address and a text be wrong.
func (s *Server) wrongKey(w http.ResponseWriter, r *http.Request, text string) {
	if after, throttled := s.cfg.Throttle.Failed(s.cfg.Proxies.ClientAddr(r), text); throttled {
		s.refused(r, "too many wrong API keys")
		gateway.WriteRetry(w, http.StatusTooManyRequests, after, "too_many_failures", "this API key is wrong, and too many wrong ones came from this address; try again later")
		return
	}
	s.refused(r, "wrong API key")
	unauthorized(w, "Invalid API key.")
}

// refused tells the log of a request that was not served.
func (s *Server) refused(r *http.Request, why string) {
	if why == "" {
		why = "the server is busy"
	}
	s.cfg.Refusals.Note("request refused: "+why, s.cfg.Proxies.ClientAddr(r))
}

// refusedWords are why a key was refused, for a person.
var refusedWords = map[messages.Refusal]string{
	messages.Refusal_REFUSAL_REVOKED:     "the API key was revoked",
	messages.Refusal_REFUSAL_SCOPE:       "the API key lacks the scope",
	messages.Refusal_REFUSAL_PLAN:        "the plan does not include it",
	messages.Refusal_REFUSAL_CREDITS:     "the month's credits are used up",
	messages.Refusal_REFUSAL_CONNECTIONS: "no connection is left",
	messages.Refusal_REFUSAL_RATE:        "more requests than the plan has",
}

// presented is the key that the request carries. The header of the published
// APIs wins with no fallback; Authorization: Bearer is what tools send.
func presented(r *http.Request) (string, bool) {
	if values := r.Header.Values("X-Api-Key"); len(values) > 0 {
		return strings.TrimSpace(values[0]), true
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token), true
	}
	return "", false
}

func unauthorized(w http.ResponseWriter, detail string) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	gateway.WriteError(w, http.StatusUnauthorized, "unauthorized", detail)
}

func forbidden(w http.ResponseWriter, scope string) {
	gateway.WriteError(w, http.StatusForbidden, "forbidden", "this API key lacks the scope "+scope)
}

// writeRefused tells a Refused in HTTP. A revoked key is 401, as a bad one is
// on the same API's socket.
func writeRefused(w http.ResponseWriter, m *messages.Refused, scope string) {
	detail := func(otherwise string) string {
		if m.Detail != "" {
			return m.Detail
		}
		return otherwise
	}
	switch m.Refusal {
	case messages.Refusal_REFUSAL_UNKNOWN_KEY:
		unauthorized(w, "Invalid API key.")
	case messages.Refusal_REFUSAL_REVOKED:
		unauthorized(w, detail("This API key has been revoked."))
	case messages.Refusal_REFUSAL_SCOPE:
		if m.Detail == "" && scope != "" {
			forbidden(w, scope)
			return
		}
		gateway.WriteError(w, http.StatusForbidden, "forbidden", detail("this API key may not do this"))
	case messages.Refusal_REFUSAL_PLAN:
		gateway.WriteError(w, http.StatusForbidden, "forbidden", detail("the key's plan does not include this"))
	case messages.Refusal_REFUSAL_CREDITS:
		gateway.WriteError(w, http.StatusPaymentRequired, "no_credits", detail("the month's credits are used up"))
	case messages.Refusal_REFUSAL_CONNECTIONS:
		gateway.WriteRetry(w, http.StatusTooManyRequests, retryAfter(m.RetryAfterMs), "too_many_connections", detail("the key has no connection left"))
	case messages.Refusal_REFUSAL_RATE:
		gateway.WriteRetry(w, http.StatusTooManyRequests, retryAfter(m.RetryAfterMs), "too_many_requests", detail("more requests than the plan has a minute"))
	default: // overload, and whatever a newer node may say
		gateway.WriteRetry(w, http.StatusServiceUnavailable, retryAfter(m.RetryAfterMs), "unavailable", detail("the server is busy; try again"))
	}
}

// unexpected is an answer of a type that the command never has: ours to find.
func (s *Resources) unexpected(w http.ResponseWriter, r *http.Request, command, answer proto.Message) {
	gateway.RequestLog(r, s.Log).Error("unexpected answer", "path", gateway.LoggedPath(r), "command", command.ProtoReflect().Descriptor().Name(), "answer", nameOf(answer))
	gateway.WriteError(w, http.StatusInternalServerError, "internal", "the request failed inside the server; the log says why")
}

func nameOf(m proto.Message) string {
	if m == nil {
		return "nothing"
	}
	return string(m.ProtoReflect().Descriptor().Name())
}
