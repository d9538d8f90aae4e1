package gateway

import (
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestRequestIDs(t *testing.T) {
	log := &journalLog{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	addr := serve(t, Config{Log: logger}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		RequestLog(r, logger).Info("serving")
		_, _ = io.WriteString(w, RequestID(r.Context()))
	}))
	made := regexp.MustCompile(`^req-[a-z2-7]{16}$`)
	seen := map[string]bool{}
	key := "bw_abcde23456_" + strings.Repeat("x", 43)
	for id, kept := range map[string]bool{
		"":                                     false,
		"7":                                    true,
		"0af7651916cd43dd8448eb211c80319c":     true,
		"9f8d0f2e-5f0a-4b1f-8a3e-0e4f6b8f1c2d": true,
		"client.request_7":                     true,
		strings.Repeat("x", 64):                true,
		strings.Repeat("x", 65):                false,
		"a b":                                  false,
		`a"level=ERROR`:                        false,
		"a=b":                                  false,
		"ä":                                    false,
		key:                                    false,
		"x" + key:                              false,
	} {
		req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if id != "" {
			req.Header.Set("X-Request-Id", id)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		got := res.Header.Get("X-Request-Id")
		if kept != (got == id) || !kept && !made.MatchString(got) || string(body) != got || seen[got] {
			t.Errorf("%q: the answer has %q, the handler %q", id, got, body)
		}
		seen[got] = true
		if n := strings.Count(log.String(), "request="+got+" ") + strings.Count(log.String(), "request="+got+"\n"); n != 2 {
			t.Errorf("%q: %d lines of the log have %q, want the handler's and the access log's", id, n, got)
		}
	}
	if strings.Contains(log.String(), "bw_") {
		t.Error("the log holds a key")
	}
	if log := RequestLog(&http.Request{}, logger); log != logger {
		t.Error("outside of a request there is an id")
	}
}

func TestMethodsOfAClosedList(t *testing.T) {
	for given, want := range map[string]string{"GET": "GET", "DELETE": "DELETE", "TRACE": "TRACE", "get": "OTHER", "BREW": "OTHER", "PROPFIND": "OTHER", "": "OTHER"} {
		if got := method(&http.Request{Method: given}); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
}
