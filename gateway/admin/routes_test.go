package admin

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/rest"
)

// routes lists what is registered, as "METHOD /path".
type routes []string

func (r *routes) Handle(pattern string, _ http.Handler) { *r = append(*r, pattern) }

func (r *routes) HandleFunc(pattern string, _ func(http.ResponseWriter, *http.Request)) {
	if !strings.Contains(pattern, " ") {
		pattern = "any " + pattern
	}
	*r = append(*r, pattern)
}

var tableRow = regexp.MustCompile("(?m)^\\| `(/[^`]*)` \\| ([A-Za-z ]+) \\| ")

// documented are the routes in README.md's table after the marker.
func documented(t *testing.T, marker string) (list routes) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "<!-- routes: "+marker+" -->\n")
	if !found {
		t.Fatalf("README.md has no table of routes for the %s", marker)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for _, row := range tableRow.FindAllStringSubmatch(table, -1) {
		for _, method := range strings.Fields(row[2]) {
			list = append(list, method+" "+row[1])
		}
	}
	return list
}

// TestRoutesAreDocumented: README.md lists every route of both listeners, and
// no other.
func TestRoutesAreDocumented(t *testing.T) {
	n := &node{}
	s := &server{cfg: config(n, io.Discard).withDefaults()}
	var operator, owner routes
	s.register(&operator)
	s.registerProbes(&operator)
	public, err := rest.New(rest.Config{
		Keys: n, Queries: n, Throttle: gateway.NewThrottle(gateway.ThrottleConfig{}),
		Ingest: struct{ rest.Ingest }{}, News: struct{ rest.News }{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	public.Register(&owner)

	// The owner's paths under /sdk are those of the table a second time.
	twice := documented(t, "owner")
	for _, route := range slices.Clone(twice) {
		if strings.Contains(route, " /v1/twitter/") {
			twice = append(twice, strings.Replace(route, " /v1", " /sdk/v1", 1))
		}
	}
	for name, c := range map[string]struct{ served, documented routes }{
		"operator": {operator, documented(t, "operator")}, "owner": {owner, twice},
	} {
		for _, route := range c.served {
			if !slices.Contains(c.documented, route) {
				t.Errorf("README.md does not list %s in the table for the %s", route, name)
			}
		}
		for _, route := range c.documented {
			if !slices.Contains(c.served, route) {
				t.Errorf("README.md lists %s in the table for the %s, and it is not served", route, name)
			}
		}
		if len(c.served) < 15 {
			t.Errorf("%s: %d routes found", name, len(c.served))
		}
	}
}
