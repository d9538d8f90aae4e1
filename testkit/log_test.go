package testkit_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// gossips has some actors tell each other for a while, with faults; rounds is an
// option. odd changes what it asks about the n-th message.
func gossips(odd int) func(k *testkit.Kit) {
	return func(k *testkit.Kit) {
		network, work := k.Chance(testkit.Network), k.Chance(testkit.Workload)
		rounds := k.Option("rounds", 1, 5)
		told := 0
		var all []*actor.PID
		for i := range 4 {
			all = append(all, k.Spawn("friend", receive(func(ctx actor.Context) {
				n, ok := ctx.Message().(int)
				if !ok || n == 0 {
					return
				}
				told++
				label := "lose"
				if told == odd {
					label = "loose"
				}
				if network.Once(label, 5) {
					return
				}
				for range 2 {
					k.Later(network.Below("late", time.Second), func() { k.Tell(all[(i+n)%4], n-1) })
				}
			})))
		}
		for range rounds {
			k.Tell(all[work.Choose("whom", 4)], 4)
			k.Tell(all[work.Choose("whom", 4)], 4)
			k.Advance(time.Second)
		}
		k.Advance(time.Minute)
	}
}

// written is what a log is once it was written and read.
func written(t *testing.T, l *testkit.Log) *testkit.Log {
	t.Helper()
	var b bytes.Buffer
	if _, err := l.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	read, err := testkit.ReadLog(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(l, read) {
		t.Fatalf("written %+v, read %+v", l, read)
	}
	return read
}

func TestARunFollowsItsLog(t *testing.T) {
	options := map[string]bool{}
	for seed := uint64(1); seed <= 20; seed++ {
		first := testkit.Play(testkit.Plan{Scenario: "gossip", Seed: seed, Log: true, Hash: true}, gossips(0))
		l := written(t, first.Log)
		options[fmt.Sprint(first.Options)] = true
		for _, s := range []testkit.Stream{testkit.Schedule, testkit.Network, testkit.Workload} {
			if l.Deviations(s) == 0 {
				t.Errorf("seed %d: the %s deviates nowhere", seed, s)
			}
		}
		again := testkit.Play(testkit.Plan{Follow: l, Log: true, Hash: true}, gossips(0))
		if again.Misfit != "" || again.Trace != first.Trace || again.Steps != first.Steps || !reflect.DeepEqual(l, again.Log) {
			t.Fatalf("seed %d: %d steps, trace %x; and then %d, %x; %s", seed, first.Steps, first.Trace, again.Steps, again.Trace, again.Misfit)
		}
		half := testkit.Play(testkit.Plan{Follow: l, Until: first.Steps / 2}, gossips(0))
		if !half.Ended || half.Steps != first.Steps/2 || half.Misfit != "" {
			t.Errorf("seed %d: to step %d: %+v", seed, first.Steps/2, half)
		}
	}
	if len(options) < 3 {
		t.Errorf("options of 20 seeds: %v", options)
	}
}

// A log of other code says at which step it does not fit, and why.
func TestALogThatDoesNotFit(t *testing.T) {
	l := testkit.Play(testkit.Plan{Seed: 1, Log: true}, gossips(0)).Log
	for _, c := range []struct {
		name string
		run  func(k *testkit.Kit)
		want []string
	}{
		{"another question", gossips(3), []string{"at step ", "of the network out of 2", `labelled "lose"; found one of the network out of 2, "loose"`}},
		{"one actor more", func(k *testkit.Kit) {
			k.Spawn("stranger", receive(func(actor.Context) {}))
			gossips(0)(k)
		}, []string{"at step 1, 0s: expected choice 1 of the schedule out of 4 at step 1, labelled \"testkit: friend\"", "found one of the schedule out of 5, [\"testkit: stranger\""}},
		{"it ends sooner", func(*testkit.Kit) {}, []string{"the run has ended at step 1, 0s: expected choice"}},
		{"it goes on", func(k *testkit.Kit) { gossips(0)(k); gossips(0)(k) }, []string{"it has ended, and the run has a choice"}},
	} {
		o := testkit.Play(testkit.Plan{Follow: l}, c.run)
		for _, want := range c.want {
			if !strings.Contains(o.Misfit, want) {
				t.Errorf("%s: %q is not in %q", c.name, want, o.Misfit)
			}
		}
	}
}

// What is set is not drawn, and what is drawn after it stays as it was.
func TestOptionsThatAreSet(t *testing.T) {
	draw := func(k *testkit.Kit) {
		k.Option("a", 0, 1000)
		k.Option("b", 0, 1000)
	}
	drawn := testkit.Play(testkit.Plan{Seed: 5}, draw).Options
	set := testkit.Play(testkit.Plan{Seed: 5, Options: map[string]int{"a": 7}}, draw).Options
	if set[0].Value != 7 || set[1] != drawn[1] {
		t.Errorf("%v, and with a set: %v", drawn, set)
	}
}

// A run is not played with what it was not made for: no node, or a million.
func TestOptionsOutOfRange(t *testing.T) {
	for _, value := range []int{2, 6, -1, 1 << 40} {
		o := testkit.Play(testkit.Plan{Options: map[string]int{"nodes": value}, Log: true}, func(k *testkit.Kit) {
			if n := k.Option("nodes", 3, 5); n < 3 || n > 5 {
				t.Errorf("set to %d: the run has %d", value, n)
			}
			gossips(0)(k)
		})
		if o.Refused != fmt.Sprintf("nodes=%d: want a number from 3 to 5", value) || o.Failed() || o.Steps > 1 {
			t.Errorf("%d: %q after %d steps, %v", value, o.Refused, o.Steps, o.Violations)
		}
	}
	o := testkit.Play(testkit.Plan{Options: map[string]int{"nodes": 5}}, func(k *testkit.Kit) { k.Option("nodes", 3, 5) })
	if o.Refused != "" || o.Options[0].Value != 5 {
		t.Errorf("%q, %v", o.Refused, o.Options)
	}
}

func TestWhatIsNoLog(t *testing.T) {
	var good bytes.Buffer
	if _, err := testkit.Play(testkit.Plan{Seed: 1, Log: true}, gossips(0)).Log.WriteTo(&good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "not a decision log"},
		{"a text", "hello\n", "not a decision log"},
		{"a later version", "testkit decisions 99\n{}\n", "a decision log of version 99; this kit follows version 1"},
		{"no header", "testkit decisions 1\nhello\n", "its header"},
		{"cut off", good.String()[:good.Len()-20], "the file ends within its choices"},
	} {
		if _, err := testkit.ReadLog(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// Whatever is read can be written, and read again as the same.
func FuzzReadLog(f *testing.F) {
	var good bytes.Buffer
	if _, err := testkit.Play(testkit.Plan{Seed: 1, Log: true}, gossips(0)).Log.WriteTo(&good); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:good.Len()/2])
	f.Fuzz(func(t *testing.T, file []byte) {
		l, err := testkit.ReadLog(bytes.NewReader(file))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if _, err := l.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		if again, err := testkit.ReadLog(&b); err != nil || !reflect.DeepEqual(again, l) {
			t.Fatalf("%+v became %+v, %v", l, again, err)
		}
	})
}
