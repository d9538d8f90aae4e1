package rest

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/birdwire/birdwire/gateway"
)

// usernames are stored in lower case without '@', each once, in the order
// given.
func usernames(f *gateway.Fields, field string) []string {
	names := f.Strings(field)
	if !f.Has(field) {
		return nil
	}
	if len(names) < 1 || len(names) > 100 {
		f.Fail(field, fmt.Sprintf("must be 1 to 100 usernames, not %d", len(names)), "")
		return nil
	}
	seen := make(map[string]bool, len(names))
	out := make([]string, 0, len(names))
	for i, name := range names {
		name = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
		if !isUsername(name) {
			f.Fail(field, fmt.Sprintf("number %d is no username: letters, digits and _ . - only, at most 100", i+1), "")
			return nil
		}
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// isUsername is wider than X's own rule, since other networks are sources too.
func isUsername(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' && (c != '@' || i == 0) {
			return false
		}
	}
	return true
}

// webhook is an http or https URL; "" clears it.
func webhook(f *gateway.Fields, field string) string {
	s := f.Text(field, 0, 2048)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		f.Fail(field, "must be an http or https URL", "https://…")
		return ""
	}
	return s
}
