package testkit

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type ring struct {
	next *ring
	n    int
}

// clerk is an actor; its timers' messages say whose they are.
type clerk struct{ open map[string]*kinds }

func (*clerk) Receive(actor.Context) {}

type again struct {
	of     *clerk
	number int
}

// town holds a kit; whoever lives there points at it.
type town struct {
	*Kit
	people map[string]int
}

type resident struct {
	town *town
	name string
}

// engine is a part of an actor, and not an actor.
type engine struct {
	log   *slog.Logger
	state map[string]int
}

type tick struct{ of *engine }

type asked struct {
	at   engine
	done func()
	what string
}

type kinds struct {
	Bytes   []byte
	private []byte
	Any     any
	none    *int
	text    error
	when    time.Time
	do      func()
	of      map[int]*wrapperspb.StringValue
	float   float64
	yes     bool
}

func TestRender(t *testing.T) {
	instant := time.Date(2026, 3, 4, 12, 0, 0, 5, time.FixedZone("elsewhere", 3600))
	for _, c := range []struct {
		message any
		want    string
	}{
		{nil, "nil"},
		{"a\n", `"a\n"`},
		{7, "int 7"},
		{time.Second, "time.Duration 1s"},
		{(*ring)(nil), "nil"},
		{instant, "2026-03-04T11:00:00.000000005Z"},
		{&actor.PID{Address: "a", Id: "b"}, "&a/b"},
		{wrapperspb.String("x"), `&wrapperspb.StringValue{Value:"x"}`},
		{
			&actor.Failure{Who: actor.NewPID("a", "b"), Reason: "why", RestartStats: actor.NewRestartStatistics()},
			`&actor.Failure{Who:&a/b Reason:"why" RestartStats:&actor.RestartStatistics Message:nil}`,
		},
		{context.Background(), "context.backgroundCtx"},
		{&again{&clerk{open: map[string]*kinds{"a": {}}}, 7}, "&testkit.again{of:&testkit.clerk number:7}"},
		{&tick{&engine{log: slog.Default(), state: map[string]int{"ada": 1}}}, "&testkit.tick{of:&testkit.engine}"},
		{&asked{at: engine{}, done: func() {}, what: "b"}, `&testkit.asked{at:testkit.engine done:func() what:"b"}`},
		{asked{what: "b"}, `testkit.asked{at:testkit.engine done:func() what:"b"}`},
		{&resident{&town{people: map[string]int{"ada": 1}}, "ada"}, `&testkit.resident{town:&testkit.town name:"ada"}`},
		{
			&kinds{
				Bytes: []byte("b"), private: []byte{0xff}, Any: []any{1, "a", nil}, none: nil, text: errors.New("e"),
				when: time.Time{}, do: func() {},
				of: map[int]*wrapperspb.StringValue{2: wrapperspb.String("two"), 1: wrapperspb.String("one"), 3: nil}, float: 0.5, yes: true,
			},
			`&testkit.kinds{Bytes:"b" private:"\xff" Any:[1 "a" nil] none:nil text:&errors.errorString{s:"e"} when:time.Time{wall:0 ext:0 loc:nil} do:func() ` +
				`of:map[int]*wrapperspb.StringValue{1:&wrapperspb.StringValue{Value:"one"} 2:&wrapperspb.StringValue{Value:"two"} 3:nil} float:0.5 yes:true}`,
		},
	} {
		if got := render(c.message); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// What has no end, or hardly one, is cut.
func TestRenderEnds(t *testing.T) {
	r := &ring{n: 1}
	r.next = r
	if got := render(r); !strings.HasPrefix(got, "&testkit.ring{next:&testkit.ring{") || len(got) > 1000 {
		t.Errorf("got %d bytes: %.200s", len(got), got)
	}
	wide := any("leaf")
	for range 5 {
		var row []any
		for range 100 {
			row = append(row, wide)
		}
		wide = row
	}
	if got := render(wide); len(got) > renderMost+100 || !strings.Contains(got, "…") {
		t.Errorf("got %d bytes", len(got))
	}
}
