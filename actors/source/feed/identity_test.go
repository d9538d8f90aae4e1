package feed_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/actors/source/item"
)

// listing is an item of a feed.
type listing struct{ guid, link, title, date string }

func (l listing) rss() string {
	var b strings.Builder
	b.WriteString("<item>")
	for tag, s := range map[string]string{"guid": l.guid, "link": l.link, "title": l.title, "pubDate": l.date} {
		if s != "" {
			fmt.Fprintf(&b, "<%s>%s</%s>", tag, s, tag)
		}
	}
	return b.String() + "</item>"
}

// identitySite is a feed whose articles are followed by their identities.
type identitySite struct {
	*site
	listed []listing
}

func newIdentitySite(t *testing.T, policy string) *identitySite {
	s := &identitySite{}
	s.site = newSite(t, feed.ReaderConfig{}, func(w http.ResponseWriter, _ *http.Request) {
		var items strings.Builder
		for _, l := range s.listed {
			items.WriteString(l.rss())
		}
		fmt.Fprint(w, rssOf(items.String()))
	})
	s.feed = s.feed.Other(feed.Config{ID: "feed-1", URL: s.server.URL + "/feed", SourceID: "src", Identity: policy})
	return s
}

// read polls, and returns the identity of each item in the order in which they
// are listed, the facts for the log, and the warning.
func (s *identitySite) read(listed ...listing) (identities []string, facts, warning string) {
	s.t.Helper()
	s.listed = listed
	drafts, next, _, err := s.feed.Poll(s.t.Context(), s.mark)
	if next == nil {
		s.t.Fatal(err)
	}
	s.mark = next
	if err != nil {
		warning = err.Error()
	}
	for _, d := range drafts {
		if f := d.GetFeedIdentity(); f != nil {
			facts += d.GetId() + " " + f.GetFeedId() + " " + f.GetPolicy() + ": " + f.GetReason()
			continue
		}
		identities = append([]string{item.Identity(d.GetArticle().GetArticle())}, identities...)
	}
	return identities, facts, warning
}

func page(n int) string { return fmt.Sprintf("https://s.example/%d", n) }

// Whatever a feed does with its ids, an article stays itself from poll to poll.
func TestIdentityPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		policy        string
		first, second []listing
		same          []int // of each item of the second poll, which of the first it is; -1: none
		facts         string
	}{
		"plain ids, a link is edited": {
			"",
			[]listing{{"a", page(1), "x", ""}, {"b", page(2), "y", ""}},
			[]listing{{"a", page(9), "x", ""}, {"c", page(3), "z", ""}},
			[]int{0, -1},
			"guid: nothing speaks against its ids|",
		},
		"one id over several links": {
			"",
			[]listing{{"a", page(1), "x", ""}, {"a", page(2), "y", ""}},
			[]listing{{"a", page(2), "y2", ""}, {"a", page(3), "z", ""}},
			[]int{1, -1},
			"guid_link: one id is that of several links|",
		},
		"ids that count changes": {
			"",
			[]listing{{page(1) + "#0", page(1), "x", ""}, {page(2) + "#0", page(2), "y", ""}},
			[]listing{{page(1) + "#1", page(1), "x2", ""}, {page(2) + "#0", page(2), "y", ""}, {page(3) + "#0", page(3), "z", ""}},
			[]int{0, 1, -1},
			"guid: nothing speaks against its ids|link: the ids of one link differ only in a number",
		},
		"one link for all": {
			"",
			[]listing{{"a", page(1), "x", ""}, {"b", page(1), "y", ""}},
			[]listing{{"b", page(1), "y2", ""}, {"c", page(1), "z", ""}},
			[]int{1, -1},
			"guid: several items share a link|",
		},
		"one id and one link for all": {
			"",
			[]listing{{"a", page(1), "x", "Tue, 03 Mar 2026 11:00:00 GMT"}, {"a", page(1), "y", "Tue, 03 Mar 2026 10:00:00 GMT"}},
			[]listing{{"a", page(1), "y", "Tue, 03 Mar 2026 10:00:00 GMT"}, {"a", page(1), "z", ""}},
			[]int{1, -1},
			"title_date: several items have one id and one link|",
		},
		"http and https": {
			"",
			[]listing{{"http://s.example/1", "http://s.example/1", "x", ""}},
			[]listing{{"https://s.example/1", "https://s.example/1", "x", ""}},
			[]int{0},
			"guid: nothing speaks against its ids|",
		},
		"no ids": {
			"",
			[]listing{{"", page(1), "x", ""}, {" ", page(2), "y", ""}},
			[]listing{{"", page(2), "y2", ""}, {"", page(3), "z", ""}},
			[]int{1, -1},
			"guid: nothing speaks against its ids|",
		},
		"ids come where there were none": {
			"",
			[]listing{{"", page(1), "x", ""}, {"", page(2), "y", ""}},
			[]listing{{"a", page(1), "x", ""}, {"b", page(2), "y", ""}, {"c", page(3), "z", ""}},
			[]int{0, 1, -1},
			"guid: nothing speaks against its ids|",
		},
		"an operator's word": {
			"link",
			[]listing{{"a", page(1), "x", ""}, {"b", page(2), "y", ""}},
			[]listing{{"x", page(1), "x", ""}, {"a", page(3), "z", ""}},
			[]int{0, -1},
			"link: an operator has set it|",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIdentitySite(t, c.policy)
			first, said, _ := s.read(c.first...)
			second, after, _ := s.read(c.second...)
			if len(first) != len(c.first) || len(second) != len(c.second) {
				t.Fatalf("read %q and %q", first, second)
			}
			facts := strings.TrimPrefix(said, "feed-1:identity:1 feed-1 ") + "|" + strings.TrimPrefix(after, "feed-1:identity:2 feed-1 ")
			if facts != c.facts {
				t.Errorf("facts %s, want %s", facts, c.facts)
			}
			for i, want := range c.same {
				is := -1
				for j, id := range first {
					if id == second[i] {
						is = j
					}
				}
				if is != want {
					t.Errorf("item %d (%s) is item %d of %q, want %d", i, second[i], is, first, want)
				}
			}
			third, more, _ := s.read(append(c.second, listing{"new", page(77), "new", ""})...)
			if more != "" || len(third) != len(second)+1 || strings.Join(third[:len(second)], " ") != strings.Join(second, " ") {
				t.Errorf("the third poll: %q %s, want %q", third, more, second)
			}
		})
	}
}

// A publisher that moves to another system gives all its items new ids: none of
// them is new, for as long as they are listed, and a warning says so.
func TestRekeyedFeeds(t *testing.T) {
	s := newIdentitySite(t, "")
	var old []listing
	for i := range 20 {
		old = append(old, listing{fmt.Sprint("old-", i), page(i), fmt.Sprint("t", i), ""})
	}
	first, _, _ := s.read(old...)
	var moved []listing
	for i := range 20 {
		moved = append(moved, listing{fmt.Sprint("new-", i), page(i), fmt.Sprint("t", i), ""})
	}
	moved = append([]listing{{"new-20", page(20), "t20", ""}}, moved...)
	second, _, warning := s.read(moved...)
	if len(second) != 21 || strings.Join(second[1:], " ") != strings.Join(first, " ") || second[0] != "src|guid|new-20" || !strings.Contains(warning, "new ids") {
		t.Fatalf("%q %s", second, warning)
	}
	moved = append([]listing{{"new-21", page(21), "t21", ""}}, moved...)
	third, _, warning := s.read(moved...)
	if strings.Join(third[1:], " ") != strings.Join(second, " ") || warning != "" {
		t.Errorf("%q %s", third, warning)
	}
	// Some of them alone are other articles at an address that is used again.
	moved[3].guid = "other"
	fourth, _, warning := s.read(moved...)
	if fourth[3] != "src|guid|other" || warning != "" {
		t.Errorf("%q %s", fourth[3], warning)
	}
}

// What falls off a feed, an empty feed and an error page withdraw nothing.
func TestAbsenceWithdrawsNothing(t *testing.T) {
	s := newIdentitySite(t, "")
	s.read(listing{"a", page(1), "x", ""}, listing{"b", page(2), "y", ""})
	if got, _, _ := s.read(listing{"b", page(2), "y", ""}); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if got, _, _ := s.read(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got, facts, _ := s.read(listing{"a", page(1), "x", ""}); len(got) != 1 || got[0] != "src|guid|a" || facts != "" {
		t.Errorf("%q %s", got, facts)
	}
}

// What a feed remembers stays a small record, and the newest items are in it.
func TestIdentitiesAreBounded(t *testing.T) {
	s := newIdentitySite(t, "")
	var all []listing
	for i := range 3000 {
		all = append(all, listing{strings.Repeat("g", 900) + fmt.Sprint(i), page(i), fmt.Sprint("t", i), ""})
	}
	s.read(all...)
	if len(s.mark) > 64<<10 {
		t.Errorf("the mark has %d bytes", len(s.mark))
	}
	for i := range all[:10] {
		all[i].guid = fmt.Sprint("moved-", i)
	}
	if got, _, warning := s.read(all[:10]...); !strings.Contains(got[0], "|ggg") || !strings.Contains(warning, "new ids") {
		t.Errorf("%.40q %s", got, warning)
	}
}
