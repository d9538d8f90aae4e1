package main_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// At the level info the log tells of each start and of each change that an
// operator makes, and nothing of what happens all the time.
func TestTheLogOfAnOperator(t *testing.T) {
	s := start(t, "", "--log-level", "info")
	k, err := s.operator.CreateKey(within(t), client.NewKey{Name: "ada", Plan: "free"})
	if err != nil {
		t.Fatal(err)
	}
	plan := "pro"
	if _, err := s.operator.UpdateKey(within(t), k.ID, client.KeyChange{Plan: &plan}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.operator.RevokeKey(within(t), k.ID); err != nil {
		t.Fatal(err)
	}
	text := func(s string) *string { return &s }
	f, err := s.operator.CreateFeed(within(t), client.FeedChange{
		URL: text("http://ada:lovelace@127.0.0.1:1/feed"), Name: text("Wire"), Category: text("news"), Force: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.operator.UpdateFeed(within(t), f.ID, client.FeedChange{Language: text("en"), Name: text("The Wire")}); err != nil {
		t.Fatal(err)
	}
	if err := s.operator.DeleteFeed(within(t), f.ID); err != nil {
		t.Fatal(err)
	}
	s.stop()
	log := s.notes.String()
	for _, want := range []string{
		`level=INFO msg=started version=\S+ node=birdwire incarnation=1 listen=` + regexp.QuoteMeta(s.public) + ` admin=` + regexp.QuoteMeta(s.admin) + ` data=\S+ took=\S+ epoch=\S+ first_frame=\d+ last_frame=\d+`,
		`msg="key created" part=admin request=req-\w+ key=` + k.ID + ` name=ada plan=free scopes=\S+ .*by=127.0.0.1`,
		`msg="key changed" part=admin request=req-\w+ key=` + k.ID + ` fields=\[plan\] plan=pro by=127.0.0.1`,
		`msg="key revoked" part=admin request=req-\w+ key=` + k.ID + ` by=127.0.0.1`,
		`msg="feed created" part=admin request=req-\w+ feed=` + f.ID + ` name=Wire url=http://ada:xxxxx@127.0.0.1:1/feed category=news by=127.0.0.1`,
		`msg="feed changed" part=admin request=req-\w+ feed=` + f.ID + ` fields="\[name language\]" by=127.0.0.1`,
		`msg="feed deleted" part=admin request=req-\w+ feed=` + f.ID + ` by=127.0.0.1`,
	} {
		if got := regexp.MustCompile(want).FindAllString(log, -1); len(got) != 1 {
			t.Errorf("%d lines match %s, in:\n%s", len(got), want, log)
		}
	}
	if strings.Contains(log, "lovelace") {
		t.Errorf("a feed's password is in the log:\n%s", log)
	}
}
