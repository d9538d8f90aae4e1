package upstreams_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// left are the records of marks and claims that there are, by name.
func (r *rig) left() (names []string) {
	for _, record := range records(r.Kit).All() {
		if !strings.HasPrefix(record.Key, "feeds.") {
			name, _, _ := strings.Cut(record.Key, ".")
			if name == "marks" {
				name = record.Key
			}
			names = append(names, name)
		}
	}
	return names
}

// A deletion loses the store after each of its writes, its answer lost or not;
// whether the node then dies or not, nothing of the feed is left, and what was
// answered with success is so.
func TestADeletedFeedLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   memory.RecordFault
		refused bool
	}{
		{"the record", memory.RecordFault{Op: memory.ControlDelete, Prefix: "feeds.", Err: errors.New("down")}, true},
		{"the record, uncertain", memory.RecordFault{Op: memory.ControlDelete, Prefix: "feeds.", Ambiguous: true}, false},
		{"the claim", memory.RecordFault{Op: memory.ControlDelete, Prefix: "feedurls.", Err: errors.New("down")}, false},
		{"the mark", memory.RecordFault{Op: memory.ControlDelete, Prefix: "marks.", Err: errors.New("down")}, false},
		{"the mark, uncertain", memory.RecordFault{Op: memory.ControlDelete, Prefix: "marks.", Err: messages.ErrAmbiguous}, false},
		{"the mark's reading", memory.RecordFault{Op: memory.ControlGet, Prefix: "marks.", Err: errors.New("down")}, false},
	} {
		for _, dies := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				run(t, func(r *rig) {
					for _, id := range []string{"f1", "f2"} {
						ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed(id, "https://"+id+".example/")})
						records(r.Kit).Put("marks."+id, []byte("7"))
					}
					records(r.Kit).Inject(c.fault)
					r.client.Request(r.pid, &messages.DeleteFeed{Id: "f1"})
					if c.refused {
						testkit.Expect[*messages.Rejected](r.client)
						ask[*messages.FeedDeleted](r, &messages.DeleteFeed{Id: "f1"})
					} else {
						testkit.Expect[*messages.FeedDeleted](r.client)
					}
					r.log = nil
					if dies {
						r.Stop(r.pid)
						r.log = nil
						r.start()
						r.happened(t, "start push ", "start f2 https://f2.example/")
					} else {
						r.Advance(time.Minute)
						r.happened(t)
					}
					if got := r.left(); !slices.Equal(got, []string{"feedurls", "marks.f2"}) {
						t.Errorf("left %q", got)
					}
				})
			})
		}
	}
}

// The node dies between the writes of a deletion, or marks are from versions
// that deleted none: the next start deletes them, those of other sources not.
func TestTheNextStartDeletesWhatDeletedFeedsLeft(t *testing.T) {
	run(t, func(r *rig) {
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f1", "https://a.example/")})
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f2", "https://b.example/")})
		r.Stop(r.pid)
		for _, id := range []string{"f1", "f2", "push", "seldom", "gone", "broken"} {
			records(r.Kit).Put("marks."+id, []byte("7"))
		}
		records(r.Kit).Damage("marks.broken")
		records(r.Kit).Damage("feeds.f1") // a damaged feed is there still
		kept, err := records(r.Kit).Get(t.Context(), "feeds.f2")
		if err != nil || records(r.Kit).Delete(t.Context(), "feeds.f2", kept.Revision) != nil {
			t.Fatal(err)
		}
		records(r.Kit).Inject(memory.RecordFault{Op: memory.ControlList, Prefix: "marks.", Err: errors.New("down")})
		r.start()
		r.Advance(time.Minute)
		if got := r.left(); !slices.Equal(got, []string{"feedurls", "marks.f1", "marks.push", "marks.seldom"}) {
			t.Errorf("left %q", got)
		}
		ask[*messages.FeedShown](r, &messages.CreateFeed{Feed: feed("f3", "https://b.example/")})
	})
}
